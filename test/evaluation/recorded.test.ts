/** Published samples of real models, through our aggregations and estimators: the figures must be the published ones. */
import { describe, expect, it } from "vitest";
import { chanceRight, passAtK, type Choice, type Sample } from "../../lib/evaluation/estimators.js";
import { bootstrap, mean } from "../../lib/evaluation/statistics.js";
import { aggregate, type Aggregation } from "../../lib/verifiers/aggregation.js";
import { answerExtractor } from "../../lib/verifiers/answer.js";
import { hasRecorded, openr, rewardMath, searchAndLearn, type RecordedSolution } from "../support/recorded.js";

const answerOf = answerExtractor();

function sampleOf({ text, scores, right }: Omit<RecordedSolution, "tokens">, aggregation: Aggregation | null): Sample {
  return { answer: answerOf(text), score: aggregation && aggregate(scores, aggregation), right };
}

describe.skipIf(!hasRecorded)("recorded samples (needs ../shared/data/recorded)", () => {
  describe("openr: 500 problems of MATH-500, 4 solutions each", () => {
    const rows = hasRecorded ? openr() : [];
    const samples = (aggregation: Aggregation | null) =>
      rows.map((row) => row.map((one) => sampleOf(one, aggregation)));
    /** Upstream does not ask whether a solution states an answer: here every one counts. */
    const stated = (aggregation: Aggregation) =>
      rows.map((row) => row.map((one) => ({ ...sampleOf(one, aggregation), answer: answerOf(one.text) ?? one.text })));
    const accuracy = (choice: Choice, all: readonly (readonly Sample[])[], k = 4) =>
      mean(all.map((row) => chanceRight(choice, row, k)));

    it("pass@1 is .7455 and pass@4 .854", () => {
      const pass = (k: number) => mean(rows.map((row) => passAtK(4, row.filter(({ right }) => right).length, k)));
      expect(pass(1)).toBeCloseTo(0.7455, 10);
      expect(pass(4)).toBeCloseTo(0.854, 10);
      expect(accuracy("majority", samples(null), 1)).toBeCloseTo(0.7455, 10);
    });

    it.each([
      ["min", 0.818],
      ["last", 0.8],
      ["mean", 0.826],
      ["product", 0.816],
    ] as const)("best-of-4 by %s is %f", (aggregation, published) => {
      expect(accuracy("best-of-n", stated(aggregation))).toBeCloseTo(published, 10);
      // That no solution without an answer is chosen wins a question or none.
      const ours = accuracy("best-of-n", samples(aggregation));
      expect(ours).toBeGreaterThanOrEqual(published);
      expect(ours).toBeLessThanOrEqual(published + 0.002 + 1e-9);
    });

    it("majority and weighted are upstream's, but for a question that its grader groups otherwise", () => {
      expect(Math.abs(accuracy("majority", samples(null)) - 0.788)).toBeLessThan(0.003);
      expect(accuracy("weighted-best-of-n", stated("min"))).toBeCloseTo(0.818, 10);
      expect(Math.abs(accuracy("weighted-best-of-n", stated("last")) - 0.806)).toBeLessThan(0.003);
    });

    it("grows with k, inside the interval over questions", () => {
      const curve = [1, 2, 3, 4].map((k) => samples("min").map((row) => chanceRight("best-of-n", row, k)));
      expect(curve.map(mean)).toEqual([...curve.map(mean)].sort());
      const { low, high } = bootstrap(curve[3]!);
      expect(low).toBeGreaterThan(0.818 - 0.04);
      expect(high).toBeLessThan(0.818 + 0.04);
    });
  });

  describe("search-and-learn: 3 problems of MATH-500, 256 solutions each", () => {
    const problems = hasRecorded ? searchAndLearn() : [];
    const sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256];
    const named = { majority: "maj", "best-of-n": "naive", "weighted-best-of-n": "weighted" } as const;
    const samples = problems.map(({ solutions }) => solutions.map((one) => sampleOf(one, "last")));

    it("pass@1 is .451", () => {
      expect(mean(problems.flatMap(({ solutions }) => solutions.map(({ right }) => Number(right))))).toBeCloseTo(
        0.451,
        3,
      );
    });

    it.each(Object.keys(named) as (keyof typeof named)[])("chooses among the first k as published: %s", (choice) => {
      const differing = problems.flatMap(({ predictions }, i) =>
        sizes
          .filter((k) => chanceRight(choice, samples[i]!.slice(0, k), k) !== predictions[`pred_${named[choice]}@${k}`])
          .map((k) => ({ problem: i, k })),
      );
      // Upstream's computer algebra finds "1" most often there, where as text "p - q" leads with 4 of 128.
      expect(differing).toEqual(choice === "majority" ? [{ problem: 1, k: 128 }] : []);
    });

    it("is for every k near what disjoint groups of k reach", () => {
      for (const choice of Object.keys(named) as (keyof typeof named)[]) {
        for (const all of samples) {
          for (const k of [2, 8, 16]) {
            const groups = Array.from({ length: 256 / k }, (_, i) => all.slice(i * k, (i + 1) * k));
            const { mean: direct } = bootstrap(groups.map((group) => chanceRight(choice, group, k)));
            const error = Math.sqrt((0.25 * k) / 256);
            expect(Math.abs(chanceRight(choice, all, k) - direct)).toBeLessThan(3 * error);
          }
        }
      }
    });
  });

  describe("RewardMATH: 483 problems, one right solution among 10", () => {
    // Published; those of step scores by product.
    it.each([
      ["Math_Shepherd", "product", 0.1718],
      ["ReasonEval_7B", "product", 0.1822],
      ["skywork_llama3", "last", 0.2215],
      ["internlm2_20b", "last", 0.3395],
    ] as const)("best-of-10 by %s is %s %f", (model, aggregation, published) => {
      const chances = rewardMath(model).map((solutions) => {
        const samples = solutions.map((scores, i) => ({
          ...{ answer: String(i), score: aggregate(scores, aggregation), right: i === 0 },
        }));
        return chanceRight("best-of-n", samples, 10);
      });
      expect(chances).toHaveLength(483);
      expect(mean(chances)).toBeCloseTo(published, 4);
    });
  });
});
