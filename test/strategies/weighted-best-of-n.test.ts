import { describe, expect, it } from "vitest";
import { bestOfN, majorityVote, weightedBestOfN } from "../../lib/strategies/index.js";
import { right, solve, solved, wrong } from "./problems.js";

describe("weightedBestOfN", () => {
  it("outvotes one overrated solution that plain best-of-N falls for", async () => {
    const overrated = [
      { ...right(0.6), probability: 7 },
      { ...wrong(0.95), probability: 3 },
    ];
    expect(await solved(weightedBestOfN({ n: 16 }), overrated)).toBeGreaterThan(30);
    expect(await solved(bestOfN({ n: 16 }), overrated)).toBeLessThan(3);
  });

  it("lets the verifier overrule a plain majority", async () => {
    const misled = [
      { ...right(0.9), probability: 4 },
      { ...wrong(0.1), probability: 6 },
    ];
    expect(await solved(weightedBestOfN({ n: 16 }), misled)).toBe(40);
    expect(await solved(majorityVote({ n: 16 }), misled)).toBeLessThan(15);
  });

  it("weighs each candidate by its answer's summed scores", async () => {
    const { candidates } = await solve(weightedBestOfN({ n: 8 }), [right(0.5), wrong(0.25)]);
    for (const { answer, weight } of candidates) {
      const sum = candidates.reduce((total, other) => total + (other.answer === answer ? other.score! : 0), 0);
      expect(weight).toBeCloseTo(sum);
    }
  });
});
