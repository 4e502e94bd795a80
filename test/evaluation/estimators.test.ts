/** The estimators against every subset there is, and against the rankings they stand for. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chanceRight, choices, passAtK, type Choice, type Sample } from "../../lib/evaluation/estimators.js";
import { mean, seededRandom } from "../../lib/evaluation/statistics.js";
import { rankGuarded } from "../../lib/verifiers/guards.js";
import { rankByScore, rankByVotes, rankByWeightedScore } from "../../lib/verifiers/selection.js";

const rankings = {
  majority: rankByVotes,
  "best-of-n": rankByScore,
  "weighted-best-of-n": rankByWeightedScore,
} as const;

/** The choice as `solve` makes it. A step that is blank is flagged. */
function chosenIsRight(choice: Choice, samples: readonly Sample[]): number {
  const solutions = samples.map((sample) => {
    const steps = [{ text: sample.flagged ? " " : "a", tokens: 1, logProbability: 0, score: null }];
    return { ...sample, text: "", steps, finished: true, finishReason: "end" as const };
  });
  const [best] = rankGuarded(rankings[choice], solutions, []);
  const sample = solutions.find(({ steps }) => steps === best!.steps)!;
  return Number(sample.right && sample.answer !== null);
}

function* subsets<T>(values: readonly T[], k: number): Generator<T[]> {
  if (k === 0) yield [];
  for (let i = 0; i + k <= values.length && k > 0; i++) {
    for (const rest of subsets(values.slice(i + 1), k - 1)) yield [values[i]!, ...rest];
  }
}

const sample = fc.record({
  answer: fc.constantFrom("a", "b", "c", null),
  score: fc.constantFrom(0.125, 0.25, 0.5, 0.75, null), // sums are exact in any order
  right: fc.boolean(),
  flagged: fc.boolean(),
});
/** Equal answers are right alike. */
const samples = (minLength: number, maxLength: number) =>
  fc.array(sample, { minLength, maxLength }).map((all) => all.map((one) => ({ ...one, right: one.answer === "a" })));

describe("passAtK", () => {
  it("is the share of subsets with a right sample", () => {
    const all = [1, 1, 0, 0, 0, 0, 0];
    for (let k = 1; k <= all.length; k++) {
      const found = mean([...subsets(all, k)].map((subset) => Math.max(...subset)));
      expect(passAtK(7, 2, k)).toBeCloseTo(found, 12);
    }
  });

  it("has its bounds", () => {
    expect(passAtK(10, 0, 10)).toBe(0);
    expect(passAtK(10, 10, 1)).toBe(1);
    expect(passAtK(10, 3, 1)).toBeCloseTo(0.3);
    expect(passAtK(1_000, 1, 1_000)).toBe(1);
  });
});

describe("chanceRight", () => {
  it.each(choices)("chooses among all as the ranking does: %s", (choice) => {
    fc.assert(
      fc.property(samples(1, 12), (all) => {
        if (all.length > 1) expect(chanceRight(choice, all, all.length)).toBe(chosenIsRight(choice, all));
      }),
      { numRuns: 1_000 },
    );
  });

  it("is exact for best-of-n: the mean over every subset", () => {
    fc.assert(
      fc.property(samples(2, 9), fc.integer({ min: 1, max: 9 }), (all, size) => {
        const k = Math.min(size, all.length);
        const found = mean([...subsets(all, k)].map((subset) => chosenIsRight("best-of-n", subset)));
        expect(chanceRight("best-of-n", all, k)).toBeCloseTo(k === 1 ? shareRight(all) : found, 10);
      }),
    );
  });

  it.each(["majority", "weighted-best-of-n"] as const)("comes close to the mean over every subset: %s", (choice) => {
    fc.assert(
      fc.property(samples(3, 6), fc.integer({ min: 2, max: 5 }), fc.nat(), (all, size, seed) => {
        const k = Math.min(size, all.length - 1);
        // Who is seen first wins ties, so every order of a subset counts.
        const truth = mean(
          [...subsets(all, k)].flatMap((subset) => orders(subset).map((one) => chosenIsRight(choice, one))),
        );
        expect(Math.abs(chanceRight(choice, all, k, 4_000, seed) - truth)).toBeLessThan(0.04); // five standard errors
      }),
    );
  });

  it("is without bias: over many sets of 8, what k of 4 reach is what sets of 4 reach", () => {
    const random = seededRandom(1);
    const draw = (n: number) =>
      Array.from({ length: n }, () => {
        const right = random() < 0.4;
        const score = Math.min(1, random() * 0.7 + (right ? 0.3 : 0));
        return { answer: right ? "a" : random() < 0.5 ? "b" : "c", score, right };
      });
    for (const choice of choices) {
      const direct = mean(Array.from({ length: 6_000 }, () => chosenIsRight(choice, draw(4))));
      const subsampled = mean(Array.from({ length: 3_000 }, (_, seed) => chanceRight(choice, draw(8), 4, 20, seed)));
      expect(Math.abs(direct - subsampled)).toBeLessThan(0.035);
    }
  });

  it("is as sure as it says: half a point for 10 questions and 1,000 draws", () => {
    const all = Array.from({ length: 16 }, (_, i) => ({
      ...{ answer: i % 2 === 0 ? "a" : `b${i % 3}`, score: ((i * 7) % 16) / 16, right: i % 2 === 0 },
    }));
    const estimates = Array.from({ length: 60 }, (_, run) =>
      mean(Array.from({ length: 10 }, (_, seed) => chanceRight("majority", all, 3, 1_000, run * 10 + seed))),
    );
    const center = mean(estimates);
    const error = Math.sqrt(mean(estimates.map((value) => (value - center) ** 2)));
    expect(error).toBeLessThan(0.005);
  });

  it("gives the same for the same seed", () => {
    const all = Array.from({ length: 10 }, (_, i) => ({ answer: `${i % 3}`, score: i / 10, right: i % 3 === 0 }));
    expect(chanceRight("majority", all, 4, 100, 1)).toBe(chanceRight("majority", all, 4, 100, 1));
  });
});

function shareRight(all: readonly Sample[]): number {
  return mean(all.map(({ right, answer }) => Number(right && answer !== null)));
}

function orders<T>(values: readonly T[]): T[][] {
  if (values.length === 0) return [[]];
  return values.flatMap((value, i) => orders(values.toSpliced(i, 1)).map((rest) => [value, ...rest]));
}
