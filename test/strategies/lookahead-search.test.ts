import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beamSearch, lookaheadSearch } from "../../lib/strategies/index.js";
import type { ToyStep } from "../support/toy-tree.js";
import { anyToy, right, solve, solved, wrong } from "./problems.js";

/** The better first step looks worse; the step after it shows the truth. */
const misleading: ToyStep[] = [
  { text: "plain\n", score: 0.4, then: [{ text: "so\n", score: 0.9, then: [right(0.9)] }] },
  { text: "fancy\n", score: 0.6, then: [{ text: "but\n", score: 0.1, then: [wrong(0.1)] }] },
];

describe("lookaheadSearch", () => {
  it("beats beam search where the first score misleads", async () => {
    expect(await solved(lookaheadSearch({ n: 4, beamWidth: 4, lookahead: 1 }), misleading)).toBeGreaterThan(34);
    expect(await solved(beamSearch({ n: 4, beamWidth: 4 }), misleading)).toBeLessThan(8);
  });

  it("uses the rollout's score and not its text", async () => {
    const { tree, candidates } = await solve(lookaheadSearch({ n: 6, beamWidth: 3, lookahead: 1 }), misleading);
    const calls = tree.calls.slice(1, 8).map((call) => call.call);
    expect(calls).toEqual(["extend", "score", "fork", "fork", "fork", "fork", "fork"]);

    const extend = tree.calls.filter((call) => call.call === "extend");
    expect(extend[1]!.options).toEqual({ steps: 1, temperature: 0, score: true });
    // The search goes on from one-step branches, although their rollouts have two.
    const continued = tree.calls.filter((call) => call.call === "fork").filter(({ n }) => n === 3);
    expect(continued.slice(0, 2).map(({ text }) => text)).toEqual(["plain\n", "plain\n"]);
    expect(extend[2]!.texts).toEqual(Array(6).fill("plain\n"));
    expect(candidates).toHaveLength(6);
  });

  it("samples the text anew where the greedy rollout would have written another", async () => {
    const steps: ToyStep[] = [
      {
        text: "start\n",
        then: [
          { ...wrong(0.5), text: "A: greedy\n", probability: 6 },
          { ...right(0.9), probability: 4 },
        ],
      },
    ];
    const { candidates } = await solve(lookaheadSearch({ n: 16, beamWidth: 4, lookahead: 3 }), steps);
    expect(new Set(candidates.map(({ answer }) => answer))).toEqual(new Set(["greedy", "right"]));
  });

  it("judges the whole path to the rollout's end by the aggregation asked for", async () => {
    const steps: ToyStep[] = [
      { text: "bold\n", score: 0.1, then: [{ text: "-\n", score: 0.9, then: [right(0.9)] }] },
      { text: "safe\n", score: 0.5, then: [{ text: "-\n", score: 0.6, then: [wrong(0.6)] }] },
    ];
    const lookahead = { n: 8, beamWidth: 8, lookahead: 1 };
    expect(await solved(lookaheadSearch({ ...lookahead, aggregation: "last" }), steps)).toBeGreaterThan(36);
    expect(await solved(lookaheadSearch({ ...lookahead, aggregation: "min" }), steps)).toBeLessThan(4);
  });

  it("releases rollouts as soon as they are scored", async () => {
    const { tree } = await solve(lookaheadSearch({ n: 6, beamWidth: 3, lookahead: 2 }), misleading);
    expect(tree.calls.slice(8, 12).map(({ call }) => call)).toEqual(["fork", "extend", "score", "release"]);
    expect(tree.peakLive).toBe(12);
  });

  it("rolls out no whole solution", async () => {
    const { tree } = await solve(lookaheadSearch({ n: 4, beamWidth: 2, lookahead: 3 }), [right(0.7)]);
    expect(tree.calls.map(({ call }) => call).filter((call) => call === "fork")).toHaveLength(1);
    expect(tree.stepsWritten).toBe(4);
  });

  it("is beam search, call for call, when k = 0", async () => {
    await fc.assert(
      fc.asyncProperty(anyToy(), fc.nat(), async (steps, seed) => {
        const beam = await solve(beamSearch({ n: 6, beamWidth: 2 }), steps, { seed });
        const lookahead = await solve(lookaheadSearch({ n: 6, beamWidth: 2, lookahead: 0 }), steps, { seed });
        expect(lookahead.tree.calls.filter(({ call }) => call !== "extend")).toEqual(
          beam.tree.calls.filter(({ call }) => call !== "extend"),
        );
        expect(lookahead.candidates).toEqual(beam.candidates);
      }),
    );
  });

  it("costs n * (k + 1) generations", async () => {
    const strategy = lookaheadSearch({ n: 8, beamWidth: 4, lookahead: 3 });
    expect(strategy.generations).toBe(32);
    const endless = (): readonly ToyStep[] => [{ text: "on\n", then: endless }];
    const { tree } = await solve(lookaheadSearch({ n: 8, beamWidth: 4, lookahead: 3, maxRounds: 5 }), endless);
    expect(tree.stepsWritten).toBe(32 * 5);
  });
});
