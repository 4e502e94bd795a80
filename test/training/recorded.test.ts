/**
 * The policy fit on published samples of a real model (500 problems of MATH-500, 4 solutions each, a PRM's step scores).
 *
 * Four samples leave little to choose: what is held here is that the same code fits them, that a choice by difficulty is
 * never reported above what it reaches on questions that did not make it, and that difficulty is told by the scores.
 */
import { describe, expect, it } from "vitest";

import { unshared } from "../../lib/evaluation/sharing.js";
import { bootstrapDifference, mean } from "../../lib/evaluation/statistics.js";
import { oracleDifficulty } from "../../lib/scheduler/difficulty.js";
import { checkPolicy } from "../../lib/scheduler/policy.js";
import { crossValidated, quantileEdges } from "../../lib/training/fit-policy.js";
import { lookedAt, policyFrom } from "../../lib/training/policy-from-records.js";
import { contendersOf, type CalibrationRecord } from "../../lib/training/records.js";
import { aggregate } from "../../lib/verifiers/aggregation.js";
import { answerExtractor } from "../../lib/verifiers/answer.js";
import { hasRecorded, openr } from "../support/recorded.js";

const options = { budgets: [1, 2, 4], tolerance: 0.01, seed: 1, temperature: 0.8 };
const answerOf = answerExtractor();

describe.skipIf(!hasRecorded)("a policy for recorded samples (needs ../shared/data/recorded)", () => {
  const records: CalibrationRecord[] = (hasRecorded ? openr() : []).map((row, i) => ({
    ...{ id: String(i), searches: [], state: null },
    samples: row.map(({ text, scores, right }) => ({
      ...{ answer: answerOf(text), score: aggregate(scores, "mean"), right },
    })),
    sharing: unshared(row.map(({ text }) => Math.ceil(text.length / 4))),
  }));
  const oracle = records.map(({ samples }) => oracleDifficulty(samples.map(({ right }) => right)));

  it("is fitted, checked and binned by the scores of two samples", () => {
    const policy = policyFrom(records, { generator: "a", verifier: "b" }, { ...options, bins: 5, probes: 2 });
    expect(checkPolicy(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
    const { spearman, oraclePass1 } = policy.calibration as { spearman: { score: number }; oraclePass1: number };
    expect(oraclePass1).toBeCloseTo(0.7455, 10);
    expect(spearman.score).toBeGreaterThan(0.4);
    const accuracies = policy.bins.score!.map(({ entries }) => entries.at(-1)!.accuracy!);
    expect(accuracies[0]!).toBeGreaterThan(accuracies.at(-1)! + 0.3);
  });

  it("gains no more than noise over one method for all, at four samples", () => {
    const contenders = contendersOf(records, options.budgets);
    const best = contenders
      .filter(({ generations }) => generations === 4)
      .reduce((a, b) => (mean(b.right) > mean(a.right) ? b : a));
    expect(mean(best.right)).toBeGreaterThan(0.8);
    const looks = lookedAt(records, 2, oracle, 1).by.score!;
    const optimal = crossValidated(contenders, looks, quantileEdges(looks, 5), 4, options);
    const { low, high } = bootstrapDifference(optimal.right, best.right);
    expect(low).toBeGreaterThan(-0.03);
    expect(high).toBeLessThan(0.03);
    expect(mean(optimal.tokens)).toBeLessThan(mean(best.tokens));
  });
});
