import { describe, expect, it } from "vitest";
import { beamSearch, dvts } from "../../lib/strategies/index.js";
import type { ToyStep } from "../support/toy-tree.js";
import { chain, needle, right, solve, solved, wrong } from "./problems.js";

describe("dvts", () => {
  const firstSteps = (texts: readonly string[]) => new Set(texts.map((text) => text.split("\n")[0]));

  it("keeps n / beamWidth subtrees apart where beam search ends in one", async () => {
    const steps: ToyStep[] = Array.from({ length: 1000 }, (_, i) => {
      const score = i / 1000;
      return { text: `s${i}\n`, score, then: chain(4, score) };
    });
    const diverse = await solve(dvts({ n: 12, beamWidth: 3 }), steps);
    const beam = await solve(beamSearch({ n: 12, beamWidth: 3 }), steps);
    expect(firstSteps(diverse.candidates.map(({ text }) => text)).size).toBe(4);
    expect(firstSteps(beam.candidates.map(({ text }) => text)).size).toBe(1);
  });

  it("survives an overrated first step that takes over a beam search", async () => {
    const steps: ToyStep[] = [
      { text: "overrated\n", probability: 3, score: 0.95, then: [wrong(0.1)] },
      { text: "sound\n", probability: 7, score: 0.6, then: [right(0.99)] },
    ];
    const diverse = await solved(dvts({ n: 16, beamWidth: 4 }), steps, 60);
    const beam = await solved(beamSearch({ n: 16, beamWidth: 4 }), steps, 60);
    expect(diverse).toBeGreaterThan(beam + 10);
  });

  it("samples beamWidth steps in each subtree, keeps the best, and yields all of the last step", async () => {
    const { tree, candidates } = await solve(dvts({ n: 12, beamWidth: 3 }), needle(2));
    const forks = tree.calls.filter((call) => call.call === "fork");
    expect(forks).toHaveLength(4 + 4 + 4);
    expect(forks.every(({ n }) => n === 3)).toBe(true);
    expect(candidates).toHaveLength(12);
  });

  it("lets no subtree wait for another", async () => {
    const steps: ToyStep[] = [right(0.5), { text: "on\n", score: 0.5, then: chain(5) }];
    const { tree } = await solve(dvts({ n: 8, beamWidth: 1 }), steps);
    const sizes = tree.calls.filter((call) => call.call === "extend").map(({ texts }) => texts.length);
    expect(sizes.every((size) => size === 1)).toBe(true);
  });

  it("reports its subtrees as one search", async () => {
    const { rounds } = await solve(dvts({ n: 6, beamWidth: 3 }), chain(2, 0.7));
    expect(rounds.at(-1)).toEqual({ round: 2, live: 0, finished: 6, bestScore: 0.7 });
    expect(rounds[1]).toEqual({ round: 1, live: 6, finished: 0, bestScore: 0.7 });
  });

  it("stops every subtree when one fails", async () => {
    const endless = (): readonly ToyStep[] => [{ text: "on\n", then: endless }];
    for (let n = 1; n < 20; n++) {
      const failing = solve(dvts({ n: 12, beamWidth: 3, maxRounds: 1000 }), endless, {
        delaySeed: n,
        failOn: { call: "extend", n },
      });
      await expect(failing).rejects.toMatchObject({ code: "DECODE_FAILED" });
    }
  });
});
