import { describe, expect, it } from "vitest";
import { majorityVote } from "../../lib/strategies/index.js";
import { right, solve, solved, wrong } from "./problems.js";

describe("majorityVote", () => {
  it("takes the answer most solutions agree on, whatever a verifier would say", async () => {
    const mostlyRight = [
      { ...right(0.1), probability: 6 },
      { ...wrong(0.9), probability: 4 },
    ];
    expect(await solved(majorityVote({ n: 41 }), mostlyRight)).toBeGreaterThan(34);
  });

  it("samples n whole solutions in one call and scores nothing", async () => {
    const { tree, candidates, rounds } = await solve(majorityVote({ n: 5, temperature: 0.7 }), [right(0.5)]);
    expect(candidates).toHaveLength(5);
    expect(candidates.every(({ score, weight }) => score === null && weight === 5)).toBe(true);
    expect(tree.stepsScored).toBe(0);
    expect(tree.calls.filter(({ call }) => call === "extend")).toMatchObject([
      { options: { steps: Infinity, temperature: 0.7 } },
    ]);
    expect(rounds).toEqual([{ round: 1, live: 0, finished: 5, bestScore: null }]);
  });
});
