import { describe, expect, it } from "vitest";

import type { CalibrationRecord } from "../../lib/training/records.js";
import { fitStopScore } from "../../lib/training/stop-score.js";

/** Questions of one look each: its four samples share the score, and are right or not. */
const records = (looks: readonly (readonly [score: number | null, right: boolean])[]): CalibrationRecord[] =>
  looks.map(([score, right], i) => ({
    ...{ id: String(i), searches: [], state: null },
    samples: Array.from({ length: 4 }, () => ({ answer: "1", score, right, tokens: 5 })),
  }));
const times = (count: number, score: number | null, right: boolean) =>
  Array.from({ length: count }, () => [score, right] as const);

describe("fitStopScore", () => {
  it("is the least score from which picks can be trusted", () => {
    const looks = [...times(100, 0.9, true), ...times(100, 0.8, true), ...times(100, 0.5, false)];
    expect(fitStopScore(records(looks), 4)).toBe(0.8);
  });

  it("wants enough picks to be sure of it", () => {
    expect(fitStopScore(records(times(20, 0.9, true)), 4)).toBeNull();
    expect(fitStopScore(records(times(60, 0.9, true)), 4)).toBe(0.9);
  });

  it("is none where high scores are wrong, or nothing is scored", () => {
    expect(fitStopScore(records([...times(50, 0.9, true), ...times(50, 0.9, false)]), 4)).toBeNull();
    expect(fitStopScore(records(times(100, null, true)), 4)).toBeNull();
  });

  it("does not take many looks at one question for many questions", () => {
    const [one] = records([[0.9, true]]);
    const looked = { ...one!, samples: Array.from({ length: 400 }, () => one!.samples[0]!) };
    expect(fitStopScore([looked], 4)).toBeNull();
  });
});
