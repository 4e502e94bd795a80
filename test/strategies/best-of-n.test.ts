import { describe, expect, it } from "vitest";
import { bestOfN, majorityVote } from "../../lib/strategies/index.js";
import { ToyTree } from "../support/toy-tree.js";
import { answerOf, right, solve, solved, wrong } from "./problems.js";

describe("bestOfN", () => {
  const rarelyRight = [
    { ...right(0.9), probability: 2 },
    { ...wrong(0.4), probability: 8 },
  ];

  it("finds a rare right solution that the majority outvotes", async () => {
    expect(await solved(bestOfN({ n: 16 }), rarelyRight)).toBeGreaterThan(36);
    expect(await solved(majorityVote({ n: 16 }), rarelyRight)).toBeLessThan(4);
  });

  it("ranks by the solution's own score and reports its one round", async () => {
    const { candidates, rounds } = await solve(bestOfN({ n: 16 }), rarelyRight);
    expect(candidates.map(({ weight }) => weight)).toEqual(candidates.map(({ score }) => score));
    expect(candidates[0]).toMatchObject({ answer: "right", score: 0.9, finished: true, finishReason: "end" });
    expect(candidates.at(-1)).toMatchObject({ answer: "wrong", score: 0.4 });
    expect(rounds).toEqual([{ round: 1, live: 0, finished: 16, bestScore: 0.9 }]);
  });

  it("scores steps while others still decode", async () => {
    const { tree } = await solve(bestOfN({ n: 3 }), rarelyRight);
    expect(tree.calls.filter(({ call }) => call === "extend")).toMatchObject([
      { options: { steps: Infinity, score: true } },
    ]);
  });

  it("judges a solution by the aggregation asked for", async () => {
    const steps = [
      { text: "bold\n", score: 0.2, then: [right(0.9)] },
      { text: "safe\n", score: 0.7, then: [wrong(0.7)] },
    ];
    const answer = async (aggregation: "last" | "min") =>
      (await solve(bestOfN({ n: 16, aggregation }), steps)).candidates[0]!.answer;
    expect(await answer("last")).toBe("right");
    expect(await answer("min")).toBe("wrong");
  });

  it("judges by the verifier's aggregation unless told otherwise", async () => {
    const steps = [
      { text: "bold\n", score: 0.2, then: [right(0.9)] },
      { text: "safe\n", score: 0.7, then: [wrong(0.7)] },
    ];
    const answer = async (options: { aggregation?: "last" }) => {
      const strategy = bestOfN({ n: 16, ...options });
      return strategy.rank(await strategy.explore(new ToyTree(steps), { answerOf, aggregation: "min" }))[0]!.answer;
    };
    expect(await answer({})).toBe("wrong");
    expect(await answer({ aggregation: "last" })).toBe("right");
  });
});
