import { describe, expect, it } from "vitest";

import { leadIsSure, reasonToStop } from "../../lib/scheduler/early-stop.js";
import type { Solution } from "../../lib/verifiers/solution.js";

const solution = (answer: string | null, score: number | null = null): Solution => ({
  ...{ answer, score, text: "", steps: [], finished: true, finishReason: "end" },
});
const answers = (...all: (string | null)[]) => all.map((answer) => solution(answer));

describe("leadIsSure", () => {
  it("is the Beta posterior's mass above one half", () => {
    // Beta(5, 1): 1 - 0.5^5; Beta(4, 2): the chance of at most 3 of 5; a tie is even.
    expect(leadIsSure(4, 0)).toBeCloseTo(1 - 0.5 ** 5, 12);
    expect(leadIsSure(3, 1)).toBeCloseTo((1 + 5 + 10 + 10) / 32, 12);
    expect(leadIsSure(7, 7)).toBeCloseTo(0.5, 12);
    expect(leadIsSure(0, 0)).toBeCloseTo(0.5, 12);
  });

  it("stays a probability for many votes", () => {
    expect(leadIsSure(400, 100)).toBeGreaterThan(0.999999);
    expect(leadIsSure(400, 100)).toBeLessThanOrEqual(1);
    expect(leadIsSure(100, 400)).toBeLessThan(1e-9);
    expect(leadIsSure(2_000, 1_900)).toBeCloseTo(0.945, 2);
  });
});

describe("reasonToStop", () => {
  const rules = { agreement: 0.95, share: 0.9 };

  it("stops for four equal answers and not for three of four", () => {
    expect(reasonToStop(rules, answers("7", "7", "7", "7"))).toBe("agreement");
    expect(reasonToStop(rules, answers("7", "7", "7", "8"))).toBeNull();
  });

  it("stops for an answer with nearly all of the scores, if three samples state it", () => {
    const scored = (...all: [string, number][]) => all.map(([answer, score]) => solution(answer, score));
    expect(reasonToStop(rules, scored(["7", 0.3], ["7", 0.3], ["7", 0.3], ["8", 0.1]))).toBe("share");
    expect(reasonToStop(rules, scored(["7", 0.3], ["7", 0.3], ["7", 0.2], ["8", 0.1]))).toBeNull();
    expect(reasonToStop(rules, scored(["7", 0.5], ["7", 0.5], ["8", 0.01], ["9", 0.01]))).toBeNull();
    expect(reasonToStop(rules, scored(["7", 0], ["7", 0], ["7", 0], ["8", 0]))).toBeNull();
  });

  it("goes on without an answer, whatever agrees", () => {
    expect(reasonToStop(rules, answers(null, null, null, null, null, null))).toBeNull();
    expect(reasonToStop(rules, [])).toBeNull();
  });

  it("can be turned off", () => {
    const off = { agreement: null, share: null };
    expect(reasonToStop(off, answers("7", "7", "7", "7", "7", "7"))).toBeNull();
  });
});
