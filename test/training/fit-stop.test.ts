/** Where a search may end after its probes: never for more accuracy than it may cost. */
import { describe, expect, it } from "vitest";

import type { Sample } from "../../lib/evaluation/estimators.js";
import { unshared } from "../../lib/evaluation/sharing.js";
import { fitStop } from "../../lib/training/fit-stop.js";
import type { CalibrationRecord } from "../../lib/training/records.js";

const sample = (answer: string, score = 0.5): Sample => ({ answer, score, right: answer === "right" });

function record(samples: readonly Sample[]): CalibrationRecord {
  return { id: "q", samples, searches: [], state: null, sharing: unshared(samples.map(() => 10)) };
}

/** The first look agrees on what all samples together find wrong. */
const misled = record([
  ...Array.from({ length: 4 }, () => sample("wrong")),
  ...Array.from({ length: 8 }, () => sample("right")),
]);
const plain = record(Array.from({ length: 12 }, () => sample("right")));

describe("fitStop", () => {
  it("stops where four agree if that is never wrong", () => {
    expect(fitStop([plain, plain], 4, 0.01, false)).toEqual({ agreement: 0.95, share: null });
  });

  it("does not where it costs more than half the tolerance", () => {
    // One look of three is misled, in one question of two.
    expect(fitStop([misled, plain], 4, 2 / 6 + 0.01, false).agreement).toBe(0.95);
    expect(fitStop([misled, plain], 4, 2 / 6 - 0.01, false).agreement).toBe(0.98); // four of four are 0.969 sure
  });

  it("asks for a larger share of the scores where a smaller one misleads", () => {
    // Three of four agree on what is wrong, with 97% of the scores.
    const trusted = [...Array.from({ length: 3 }, () => sample("wrong", 0.9)), sample("right", 0.08)];
    const rest = Array.from({ length: 8 }, () => sample("right", 0.9));
    expect(fitStop([record([...trusted, ...rest])], 4, 0.01, true).share).toBe(0.98);
    expect(fitStop([record([...trusted, ...rest])], 4, 1, true).share).toBe(0.95);
  });

  it("leaves a rule out that always costs too much", () => {
    const fooled = Array.from({ length: 4 }, () => sample("wrong", 1));
    const rest = Array.from({ length: 8 }, () => sample("right", 1));
    expect(fitStop([record([...fooled, ...rest])], 4, 0.01, true).share).toBeNull();
  });
});
