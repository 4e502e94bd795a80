/** The cap on operations, over the real addon and the fake backend, whose models have 1000 parameters each. */
import { afterEach, beforeEach, expect, test } from "vitest";

import type { EngineCore } from "../../lib/engine/engine-core.js";
import { loadFake, treeOptions } from "../support/fake-engine.js";

const TOKEN = 2 * 1000;

let engine: EngineCore;
beforeEach(async () => void (engine = await loadFake()));
afterEach(() => engine.close());

test("a cap below the prompt's own cost: the tree opens, and the first extend ends at once", async () => {
  const tree = await engine.openTree(treeOptions({ flopsBudget: 3 * TOKEN }));
  const branches = tree.fork(tree.root, 4);
  await tree.extend(branches, { score: true });
  for (const branch of branches) expect(branch).toMatchObject({ steps: [], finishReason: "budget" });
  expect(tree.exhausted).toBe(true);
  expect((await tree.close()).flops).toBe(0);
});

test("is never passed, and pays for the scores that were asked for", async () => {
  for (let tokens = 4; tokens < 120; tokens += 5) {
    const tree = await engine.openTree(treeOptions({ flopsBudget: tokens * TOKEN }));
    const branches = tree.fork(tree.root, 4);
    await tree.extend(branches, { steps: Infinity, score: true });
    await tree.score(branches);
    expect(branches.flatMap(({ steps }) => steps).every(({ score }) => score !== null)).toBe(true);
    expect((await tree.close()).flops).toBeLessThanOrEqual(tokens * TOKEN);
  }
});

test("scores that no longer fit stay unscored", async () => {
  const tree = await engine.openTree(treeOptions({ flopsBudget: 40 * TOKEN }));
  const branches = tree.fork(tree.root, 4);
  await tree.extend(branches, { steps: Infinity });
  expect(tree.exhausted).toBe(true);
  await tree.score(branches);
  expect(branches.flatMap(({ steps }) => steps).some(({ score }) => score === null)).toBe(true);
  expect((await tree.close()).flops).toBeLessThanOrEqual(40 * TOKEN);
});
