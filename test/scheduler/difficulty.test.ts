import { describe, expect, it } from "vitest";

import {
  agreementDifficulty,
  oracleDifficulty,
  questionDifficulty,
  scoreDifficulty,
} from "../../lib/scheduler/difficulty.js";

describe("difficulty", () => {
  it("by the oracle is the share of wrong samples", () => {
    expect(oracleDifficulty([true, false, false, false])).toBe(0.75);
    expect(oracleDifficulty([])).toBeNaN();
  });

  it("by score is one minus the mean, an unknown score counting as none", () => {
    expect(scoreDifficulty([{ score: 0.5 }, { score: 1 }, { score: null }, { score: 0.5 }])).toBe(0.5);
    expect(scoreDifficulty([])).toBe(1);
  });

  it("by agreement is the share outside the largest group; no answers agree on nothing", () => {
    const of = (...answers: (string | null)[]) => agreementDifficulty(answers.map((answer) => ({ answer })));
    expect(of("1", "1", "2", "3")).toBe(0.5);
    expect(of("1", "1", "1", "1")).toBe(0);
    expect(of(null, null, null, "1")).toBe(0.75);
    expect(of(null, null)).toBe(1);
    expect(of()).toBe(1);
  });

  it("by the question alone is linear, and clipped", () => {
    const probe = { bias: 0.5, weights: [0.25, -0.5] };
    expect(questionDifficulty(probe, [1, 0.5])).toBe(0.5);
    expect(questionDifficulty(probe, Float32Array.of(10, 0))).toBe(1);
    expect(questionDifficulty(probe, [0, 10])).toBe(0);
  });
});
