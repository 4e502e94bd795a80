/** What `replay` does again on every engine: recorded trees, and what is derived from them. None of its rivals is needed. */
import { describe, expect, it } from "vitest";

import {
  bestOfTree,
  checked,
  familiesOf,
  longestPath,
  parsed,
  readTree,
  scheduleOf,
  serialized,
  tokensOf,
  widestOf,
  type RecordedTree,
} from "../../bench/replay/recorded-tree.js";
import { RecordingTree } from "../../bench/replay/recorder.js";
import { assign } from "../../bench/replay/server-seats.js";
import { beamSearch, Engine } from "../../lib/index.js";

const tree: RecordedTree = {
  ...{ name: "small", prompt: 10, verified: true, writer: { shape: "tiny", stepLengths: [0, 1], seed: 3 } },
  rounds: [
    { parents: [-1, -1, -1], lengths: [2, 5, 3], scores: [0.5, 0.25, 0.75] },
    { parents: [2, 2, 0], lengths: [4, 1, 2] },
  ],
};

describe("a recorded tree", () => {
  it("comes back from its file as it was", () => {
    expect(parsed(serialized(tree))).toEqual(tree);
  });

  it("tells its sums", () => {
    expect(tokensOf(tree)).toBe(17);
    expect(widestOf(tree)).toBe(3);
    expect(longestPath(tree)).toBe(10 + 3 + 4);
    expect(longestPath(tree, 1)).toBe(10 + 4 + 5);
    expect(longestPath({ ...tree, rounds: [{ parents: [-1], lengths: [9] }] })).toBe(19);
  });

  it("knows who were forked together", () => {
    expect(familiesOf(tree.rounds[0]!)).toEqual([{ parent: -1, first: 0, count: 3 }]);
    expect(familiesOf(tree.rounds[1]!)).toEqual([
      { parent: 2, first: 0, count: 2 },
      { parent: 0, first: 2, count: 1 },
    ]);
  });

  it("is told to replay_bench in words and numbers", () => {
    expect(scheduleOf(tree)).toBe("prompt 10\nround 3\n-1 2\n-1 5\n-1 3\nround 3\n2 4\n2 1\n0 2\n");
  });

  it.each([
    ["no rounds", []],
    ["a parent that was not there", [{ parents: [0], lengths: [1] }]],
    ["a parent that was not in the round before", [tree.rounds[0]!, { parents: [3], lengths: [1] }]],
    ["children apart", [tree.rounds[0]!, { parents: [2, 0, 2], lengths: [1, 1, 1] }]],
    ["a branch without a length", [{ parents: [-1, -1], lengths: [1] }]],
    ["a step without tokens", [{ parents: [-1], lengths: [0] }]],
    ["a branch without a score", [{ parents: [-1, -1], lengths: [1, 1], scores: [0.5] }]],
  ])("is refused with %s", (_, rounds) => {
    expect(() => checked({ ...tree, rounds })).toThrow("small");
  });

  it("of best-of-N has as many branches of one length", () => {
    const best = checked(bestOfTree(16, 64, 512));
    expect([widestOf(best), tokensOf(best), longestPath(best)]).toEqual([16, 16 * 64, 512 + 64]);
  });

  it("is there as the benchmark names it", () => {
    expect(widestOf(readTree("beam-64-4"))).toBe(64);
  });
});

describe("recording", () => {
  it("tells the rounds of a beam search", async () => {
    await using engine = await Engine.load({ generator: { fake: {} }, verifier: { fake: {} } });
    await using search = await engine.openTree({
      ...{
        prompt: "p",
        verifierPrompt: "p",
        seed: 1,
        steps: { delimiters: ["\n"] },
        finalPrefix: "",
        stop: [],
        maxLength: undefined,
      },
      ...{ tokenBudget: undefined, deadlineMs: undefined },
      sampler: { temperature: 0.8, topK: 0, topP: 1, minP: 0 },
    });
    const watched = new RecordingTree(search);
    await beamSearch({ n: 4, beamWidth: 2, maxRounds: 3 }).explore(watched, { answerOf: () => null });
    const recorded = checked({ ...tree, rounds: watched.rounds() });
    expect(recorded.rounds[0]!.parents).toEqual([-1, -1, -1, -1]);
    for (const round of recorded.rounds) expect(round.scores).toHaveLength(round.parents.length);
    for (const round of recorded.rounds.slice(1)) {
      expect(familiesOf(round).every(({ count }) => count === 2)).toBe(true);
    }
    const { generatedTokens, coalescedTokens } = await search.ledger();
    const ends = generatedTokens + coalescedTokens - tokensOf(recorded); // end tokens are no part of a step
    expect(ends).toBeGreaterThanOrEqual(0);
    expect(ends).toBeLessThanOrEqual(recorded.rounds.flatMap(({ parents }) => parents).length);
  });
});

describe("the server's slots", () => {
  const slots = 8;

  it("are the last ones, for siblings take the first", () => {
    const seated = assign([[1], [1, 2]], new Map(), slots);
    expect(seated.map(({ slot }) => slot).sort()).toEqual([6, 7]);
  });

  it("are those that hold most of a path, else copies of them", () => {
    const held = new Map([
      [7, [1, 2, 3]],
      [6, [1, 5]],
    ]);
    expect(
      assign(
        [
          [1, 5, 6],
          [1, 2, 3, 4],
          [1, 2, 3, 9],
        ],
        held,
        slots,
      ),
    ).toEqual([{ slot: 6 }, { slot: 7 }, { slot: 5, copyOf: 7 }]);
  });
});
