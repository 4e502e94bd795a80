import { describe, expect, it } from "vitest";

import { flagsOf, rankGuarded } from "../../lib/verifiers/guards.js";
import { rankByScore } from "../../lib/verifiers/selection.js";
import type { Solution } from "../../lib/verifiers/solution.js";

const solution = (answer: string, score: number, ...texts: string[]): Solution => ({
  ...{ answer, score, text: texts.join(""), finished: true, finishReason: "end" },
  steps: texts.map((text) => ({ text, tokens: 1, logProbability: 0, score })),
});

describe("flagsOf", () => {
  it("finds a step that repeats the last, or two others", () => {
    expect(flagsOf(solution("1", 1, "a\n", "a\n", "b\n"), null)).toEqual(["repeated-step"]);
    expect(flagsOf(solution("1", 1, "a\n", "b\n", "a\n"), null)).toEqual([]);
    expect(flagsOf(solution("1", 1, "a\n", "b\n", "a\n", "b\n", "a\n"), null)).toEqual(["repeated-step"]);
  });

  it("finds a blank step, and does not call two of them a repetition", () => {
    expect(flagsOf(solution("1", 1, "a\n", " \n", "\n", "b\n"), null)).toEqual(["empty-step"]);
  });

  it("calls one or two steps too short where twice as many are usual, and knows nothing without samples", () => {
    const short = solution("1", 1, "a\n", "b\n");
    expect(flagsOf(short, 4)).toEqual(["too-short"]);
    expect(flagsOf(short, 3)).toEqual([]);
    expect(flagsOf(short, null)).toEqual([]);
    expect(flagsOf(solution("1", 1, "a", "b", "c"), 8)).toEqual([]);
  });
});

describe("rankGuarded", () => {
  const long = (answer: string, score: number) => solution(answer, score, "a", "b", "c", "d");

  it("puts what is flagged last, whatever its score, and says why", () => {
    const found = [solution("9", 0.99, "x", "x"), long("7", 0.4), long("8", 0.3), long("8", 0.2), long("7", 0.1)];
    const ranked = rankGuarded(rankByScore, found, found);
    expect(ranked.map(({ answer }) => answer)).toEqual(["7", "8", "8", "7", "9"]);
    expect(ranked.at(-1)!.flags).toEqual(["repeated-step", "too-short"]);
    expect(ranked.slice(0, -1).every(({ flags }) => flags.length === 0)).toBe(true);
  });

  it("still chooses where everything is flagged", () => {
    const [best, other] = rankGuarded(rankByScore, [solution("1", 0.1, "x", "x"), solution("2", 0.2, "y", "y")], []);
    expect([best!.answer, other!.answer]).toEqual(["2", "1"]);
  });
});
