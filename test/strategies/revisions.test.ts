import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { majorityVote, revisions, usualRevision, weightedBestOfN, type Strategy } from "../../lib/strategies/index.js";
import { ToyTree, type ToyOptions, type ToyStep } from "../support/toy-tree.js";
import { answerOf, anyToy, chain, right, solve, wrong } from "./problems.js";

const again = "Try again:\n";
const separator = again;

/** How many attempts are in view. */
const inView = (context: string) => context.split(again).length - 1;

/** The i-th attempt of every chain, from 0, says so; the chain's attempts are counted by what is in view. */
const numbered = (scores: readonly number[]): [ToyStep[], ToyOptions] => {
  const attempt = (i: number): ToyStep[] => [{ text: `A: ${i}\n`, score: scores[i] ?? 0.5 }];
  return [attempt(0), { revised: (context) => attempt(Number(/A: (\d+)\n[^\n]*\n$/.exec(context)![1]) + 1) }];
};

const given = (tree: ToyTree) => tree.calls.filter((call) => call.call === "condition");

describe("revisions", () => {
  it("puts every earlier attempt of the chain in view, and gives nothing twice", async () => {
    const [steps, options] = numbered([]);
    const { tree } = await solve(revisions({ chains: 1, length: 4, separator }), steps, options);
    expect(tree.wholeTexts).toEqual(["A: 0\n", "A: 1\n", "A: 2\n", "A: 3\n"]);
    expect(tree.wholeContexts).toEqual([
      "",
      "A: 0\nTry again:\n",
      "A: 0\nTry again:\nA: 1\nTry again:\n",
      "A: 0\nTry again:\nA: 1\nTry again:\nA: 2\nTry again:\n",
    ]);
    expect(given(tree).map(({ text }) => text)).toEqual([again, again, again]);
  });

  it("slides beyond the latest four, or as many as the model is used to", async () => {
    const [steps, options] = numbered([]);
    const { tree } = await solve(revisions({ chains: 1, length: 8, separator }), steps, options);
    const views = tree.wholeContexts.map((context) => [...context.matchAll(/\d+/g)].map(Number));
    expect(views).toEqual([
      ...[[], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3]],
      ...[
        [1, 2, 3, 4],
        [2, 3, 4, 5],
        [3, 4, 5, 6],
      ],
    ]);
    expect(given(tree)[4]).toMatchObject({ before: "", text: [1, 2, 3, 4].map((i) => `A: ${i}\n${again}`).join("") });

    const two = new ToyTree(steps, options);
    await revisions({ chains: 1, length: 5 }).explore(two, { answerOf, revision: { separator, maxAttempts: 2 } });
    expect(two.wholeContexts.map(inView)).toEqual([0, 1, 2, 2, 2]);
  });

  it("never shows more than the window, in any chain, whatever the order of completion", async () => {
    const size = fc.integer({ min: 1, max: 5 });
    await fc.assert(
      fc.asyncProperty(
        size,
        fc.integer({ min: 1, max: 9 }),
        size,
        fc.nat(),
        async (chains, length, maxAttempts, delaySeed) => {
          const { tree } = await solve(revisions({ chains, length, maxAttempts, separator }), chain(1), { delaySeed });
          const expected = Array.from({ length: chains }, () =>
            Array.from({ length }, (_, i) => Math.min(i, maxAttempts)),
          ).flat();
          expect(tree.wholeContexts.map(inView).sort()).toEqual(expected.sort());
        },
      ),
    );
  });

  it("asks in the context's words, and in plain ones where there are none", async () => {
    const revision = { separator: "Once more:\n", maxAttempts: 4 };
    const words = async (strategy: Strategy, context = {}) => {
      const tree = new ToyTree(chain(1));
      await strategy.explore(tree, { answerOf, ...context });
      return given(tree)[0]!.text;
    };
    const size = { chains: 1, length: 2 };
    expect(await words(revisions(size))).toBe(usualRevision.separator);
    expect(await words(revisions(size), { revision })).toBe("Once more:\n");
    expect(await words(revisions({ ...size, separator }), { revision })).toBe(again);
  });

  it("ends an attempt's last line before it asks for another", async () => {
    const { tree } = await solve(revisions({ chains: 1, length: 6, separator }), [{ text: "A: 1" }]);
    expect(tree.wholeContexts[1]).toBe("A: 1\nTry again:\n");
    expect(tree.wholeContexts[5]).toBe("A: 1\nTry again:\n".repeat(4));
  });

  it("shows no attempt without a text, nor one that was cut off; the oldest makes room for the next", async () => {
    const empty = await solve(revisions({ chains: 1, length: 3, separator }), [{ text: "" }]);
    expect(empty.tree.wholeContexts).toEqual(["", "", ""]);

    const revised = (context: string): ToyStep[] =>
      inView(context) > 1 ? [{ text: "too long\n", tokens: 9 }] : [right(0.5)];
    const { tree } = await solve(revisions({ chains: 1, length: 6, separator }), [right(0.5)], {
      revised,
      maxLength: 5,
    });
    // In view: 0, 1, 2 (cut off), 1, 2 (cut off), 1.
    expect(tree.wholeContexts.map(inView)).toEqual([0, 1, 1, 1]);
    expect(tree.wholeContexts.some((context) => context.includes("too"))).toBe(false);
  });

  it("lets no chain wait for another, and holds no attempt longer than it needs", async () => {
    const { tree } = await solve(revisions({ chains: 3, length: 6, separator }), chain(2), { delaySeed: 3 });
    const extended = tree.calls.filter((call) => call.call === "extend");
    expect(extended).toHaveLength(18);
    expect(extended.every(({ texts }) => texts.length === 1)).toBe(true);
    expect(tree.peakLive).toBeLessThanOrEqual(3 * 3); // start, attempt, and the next one for a moment
    expect(tree.live).toBe(0);
  });

  it("is best-of-N weighted, or a vote, seed for seed, when every chain has one attempt", async () => {
    await fc.assert(
      fc.asyncProperty(anyToy(), fc.nat(), fc.integer({ min: 1, max: 8 }), async (steps, seed, n) => {
        const plain = async (strategy: Strategy) => {
          const { candidates } = await solve(strategy, steps, { seed, noise: 0.2 });
          return candidates.map((candidate) => ({ ...candidate, chain: undefined }));
        };
        expect(await plain(revisions({ chains: n, length: 1 }))).toEqual(await plain(weightedBestOfN({ n })));
        const voted = revisions({ chains: n, length: 1, select: "majority" });
        expect(await plain(voted)).toEqual(await plain(majorityVote({ n })));
      }),
    );
  });

  it("is one voice when all attempts are one chain", async () => {
    const { candidates } = await solve(revisions({ chains: 1, length: 16, separator }), chain(1, 0.4));
    expect(candidates).toHaveLength(16);
    expect(candidates[0]).toMatchObject({ answer: "right", weight: 0.4, chain: 0 });
  });

  it("can choose a right answer that the chain turned wrong later", async () => {
    // The first attempt is right; every later one is wrong, and the verifier sees it.
    const revised = () => [wrong(0.1)];
    const { candidates } = await solve(revisions({ chains: 2, length: 4, separator }), [right(0.9)], { revised });
    expect(candidates[0]).toMatchObject({ answer: "right", weight: 1.8 });
    const voted = await solve(revisions({ chains: 2, length: 4, separator, select: "majority" }), [right(0.9)], {
      revised,
    });
    expect(voted.candidates[0]).toMatchObject({ answer: "wrong", weight: 6 });
  });

  it("scores nothing where votes decide", async () => {
    const { tree, candidates } = await solve(revisions({ chains: 2, length: 2, select: "majority" }), chain(2));
    expect(tree.stepsScored).toBe(0);
    expect(candidates.every(({ score }) => score === null)).toBe(true);
  });

  it("revises no further once the budget is spent", async () => {
    const tokenBudget = 7;
    const { tree, candidates } = await solve(revisions({ chains: 1, length: 9, separator }), chain(2), { tokenBudget });
    expect(tree.tokens).toBe(7);
    expect(tree.calls.filter(({ call }) => call === "extend")).toHaveLength(4);
    expect(candidates).toHaveLength(3);
  });

  it("reports attempts as rounds, all chains as one", async () => {
    const { rounds } = await solve(revisions({ chains: 2, length: 2, separator }), chain(1, 0.7));
    expect(rounds).toEqual([
      { round: 1, live: 1, finished: 1, bestScore: 0.7 },
      { round: 1, live: 2, finished: 2, bestScore: 0.7 },
      { round: 2, live: 1, finished: 3, bestScore: 0.7 },
      { round: 2, live: 0, finished: 4, bestScore: 0.7 },
    ]);
  });
});
