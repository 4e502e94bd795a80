/** What the Electron example shows of a search that goes on. */
import { expect, test } from "vitest";

import { BestSoFar } from "../../examples/electron/best-so-far.js";
import type { Branch, SearchTree } from "../../lib/engine/search-tree.js";
import { beamSearch, type Strategy } from "../../lib/strategies/index.js";
import { needle } from "../strategies/problems.js";
import { ToyTree } from "../support/toy-tree.js";

const answerOf = (text: string) => /= (\d+)/.exec(text)?.[1] ?? null;

function branch(text: string, score: number | null, finished = false): Branch {
  const steps = [{ text, tokens: 1, logProbability: -1, score }];
  return { id: 1, steps, text, finishReason: finished ? "end" : "step", finished };
}

/** After a strategy has extended each list of branches. */
async function shown(...rounds: Branch[][]) {
  const best = new BestSoFar();
  const tree: Partial<SearchTree> = { extend: () => Promise.resolve() };
  const strategy: Partial<Strategy> = {
    explore: async (tree) => {
      for (const branches of rounds) await tree.extend(branches);
      return [];
    },
  };
  await best.watch(strategy as Strategy).explore(tree as SearchTree, { answerOf });
  return best.now;
}

test("the steps are those of the best branch that wrote last, the answer that of the best solution ever", async () => {
  const early = [branch("= 1", 0.6, true), branch("= 2\n", 0.9, true), branch("= 3", 1)];
  expect(await shown(early)).toEqual({ steps: [{ text: "= 3", score: 1 }], answer: "2" });
  const late = [branch("= 4", 0.7, true), branch("none", 0.95, true)];
  expect(await shown(early, late)).toEqual({ steps: [{ text: "none", score: 0.95 }], answer: "2" });
  expect(await shown(early, late, [branch("= 5", 0.91, true)])).toMatchObject({ answer: "5" });
});

test("unscored branches count in the order of writing", async () => {
  const { steps, answer } = await shown([branch("= 1", null, true), branch("= 2", null, true)]);
  expect([steps, answer]).toEqual([[{ text: "= 1", score: null }], "1"]);
});

test("nothing was written, nothing is shown", async () => {
  expect(await shown()).toEqual({ steps: [], answer: null });
  expect(await shown([])).toEqual({ steps: [], answer: null });
});

test("a strategy finds on the tree that shows what it would find", async () => {
  const strategy = beamSearch({ n: 8, beamWidth: 2 });
  const solve = (strategy: Strategy) =>
    strategy.explore(new ToyTree(needle(3), { seed: 1 }), { answerOf: (text) => text });
  const found = await solve(new BestSoFar().watch(strategy));
  expect(found).toEqual(await solve(strategy));
});
