import { describe, expect, it } from "vitest";

import { seededRandom } from "../../lib/evaluation/statistics.js";
import { questionDifficulty } from "../../lib/scheduler/difficulty.js";
import { fitQuestionProbe, probeCorrelation } from "../../lib/training/question-probe.js";

const random = seededRandom(3);
const states = Array.from({ length: 120 }, () => Array.from({ length: 8 }, () => random() * 4 - 2));

describe("fitQuestionProbe", () => {
  it("finds a linear difficulty, and predicts questions it has not seen", () => {
    const truth = states.map((state) => 0.5 + 0.1 * state[0]! - 0.05 * state[3]! + 0.02 * (random() - 0.5));
    const fit = fitQuestionProbe(states, truth, 1)!;
    expect(probeCorrelation(fit, truth)).toBeGreaterThan(0.97);
    const error = states.map((state, i) => Math.abs(questionDifficulty(fit.probe, state) - truth[i]!));
    expect(Math.max(...error)).toBeLessThan(0.05);
  });

  it("claims nothing where there is nothing: predictions are cross-validated", () => {
    const noise = states.map(() => random());
    expect(Math.abs(probeCorrelation(fitQuestionProbe(states, noise, 1)!, noise))).toBeLessThan(0.3);
  });

  it("bears a constant unit, and more units than questions", () => {
    const wide = states.slice(0, 12).map((state) => [...state, 1, ...Array.from({ length: 20 }, () => random())]);
    const fit = fitQuestionProbe(
      wide,
      wide.map((state) => state[0]! / 8 + 0.5),
      1,
    )!;
    expect(fit.predictions.every(Number.isFinite)).toBe(true);
    expect(fit.probe.weights.every(Number.isFinite)).toBe(true);
  });

  it("needs ten questions", () => {
    expect(
      fitQuestionProbe(
        states.slice(0, 9),
        states.slice(0, 9).map(() => 0.5),
        1,
      ),
    ).toBeNull();
  });
});
