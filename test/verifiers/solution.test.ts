import { describe, expect, it } from "vitest";
import type { Branch, FinishReason } from "../../lib/engine/search-tree.js";
import { scoreOf, solutionsOf } from "../../lib/verifiers/solution.js";

const branch = (finishReason: FinishReason, ...scores: (number | null)[]): Branch => ({
  id: 1,
  steps: scores.map((score, i) => ({ text: `${i}\n`, tokens: 1, logProbability: -1, score })),
  text: scores.map((_, i) => `${i}\n`).join(""),
  finishReason,
  finished: finishReason === "end",
});
const answerOf = (text: string) => text.at(0) ?? null;

describe("solutionsOf", () => {
  it("reads off everything that outlives the branch", () => {
    const whole = branch("end", 0.5, 0.7);
    const { text, steps } = whole;
    expect(solutionsOf([whole], answerOf, "min")).toEqual([
      { text, steps, answer: "0", score: 0.5, finished: true, finishReason: "end" },
    ]);
  });

  it("takes whole solutions only, however good the partial ones, and partial ones where none is whole", () => {
    const stuck = branch("length", 1);
    const cut = branch("budget", 0.9);
    expect(solutionsOf([stuck, branch("end", 0.1), cut], answerOf, "last").map(({ score }) => score)).toEqual([0.1]);
    expect(solutionsOf([stuck, cut], answerOf, "last").map(({ finished }) => finished)).toEqual([false, false]);
  });

  it("shows no score where nobody scored", () => {
    expect(solutionsOf([branch("end", null)], answerOf, null)[0]!.score).toBeNull();
  });
});

describe("scoreOf", () => {
  it("judges a partial solution by its scored beginning, and a whole one by all of it", () => {
    expect(scoreOf(branch("deadline", 0.5, 0.7, null), "last")).toBe(0.7);
    expect(scoreOf(branch("deadline", 0.5, 0.7, null), "min")).toBe(0.5);
    expect(scoreOf(branch("end", 0.5, 0.7, null), "last")).toBeNull();
    expect(scoreOf(branch("deadline", null), "last")).toBeNull();
    expect(scoreOf(branch("deadline"), "last")).toBeNull();
  });
});
