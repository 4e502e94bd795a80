/** Handles over the real addon and the fake backend: forking, extending, scoring, budgets, errors, release. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { EngineCore } from "../../lib/engine/engine-core.js";
import { abortAfter, loadFake, treeOptions } from "../support/fake-engine.js";

let engine: EngineCore;
beforeEach(async () => void (engine = await loadFake()));
afterEach(() => engine.close());

const held = () => {
  const { kvCells, verifierKvCells, leases, searches, branches } = engine.stats();
  return { kvCells, verifierKvCells, leases, searches, branches };
};
const nothing = { kvCells: 0, verifierKvCells: 0, leases: 0, searches: 0, branches: 0 };

test("forks write different solutions, each step scored once, each token decoded once", async () => {
  const tree = await engine.openTree(treeOptions());
  const branches = tree.fork(tree.root, 8);
  await tree.extend(branches, { steps: Infinity, score: true });
  await tree.score(branches);

  expect(branches.every((branch) => branch.finished)).toBe(true);
  expect(new Set(branches.map((branch) => branch.text)).size).toBeGreaterThan(4);
  for (const { steps } of branches) {
    expect(steps.length).toBeGreaterThan(0);
    for (const { text, tokens, score, logProbability } of steps) {
      expect(text).toMatch(/\n$/);
      expect(tokens).toBeGreaterThanOrEqual(text.length); // a token is a byte; the end token belongs to no step
      expect(logProbability).toBeLessThan(0);
      // The verifier is the same toy, so its likelihood of a step is the generator's.
      expect(score).toBeCloseTo(Math.exp(logProbability), 5);
    }
  }
  const ledger = await tree.close();
  const stepTokens = branches.flatMap(({ steps }) => steps).reduce((sum, { tokens }) => sum + tokens, 0);
  // and an end token each
  expect(ledger.generatedTokens + ledger.coalescedTokens).toBe(stepTokens + branches.length);
  expect(ledger.promptTokens).toBe(4);
  expect(ledger.recomputedTokens).toBe(0);
  // The last token of a branch is decoded only if a child needs it.
  expect(ledger.verifierTokens).toBe(stepTokens - branches.length);
  expect(ledger.kvCellsPeak).toBe(ledger.treeTokensPeak);
});

test("a step at a time is the same text as all at once", async () => {
  const whole = await engine.openTree(treeOptions());
  const stepwise = await engine.openTree(treeOptions());
  const [a] = whole.fork(whole.root, 1);
  const [b] = stepwise.fork(stepwise.root, 1);
  await whole.extend([a!], { steps: Infinity });
  let rounds = 0;
  for (; !b!.finished; rounds++) await stepwise.extend([b!]);
  expect(b!.text).toBe(a!.text);
  expect(rounds).toBeGreaterThan(1);
  await Promise.all([whole.close(), stepwise.close()]);
});

test("a fork shares its steps and their scores, and goes its own way", async () => {
  const tree = await engine.openTree(treeOptions());
  const [first] = tree.fork(tree.root, 1);
  await tree.extend([first!]);
  const [second] = tree.fork(first!, 1);
  await tree.score([first!]);
  expect(second!.steps[0]!.score).toBe(first!.steps[0]!.score);
  await tree.extend([first!, second!]);
  expect(second!.steps[0]).toBe(first!.steps[0]);
  await tree.close();
});

test("temperature 0 is greedy whatever the seed", async () => {
  const texts = await Promise.all(
    [1, 2].map(async (seed) => {
      const tree = await engine.openTree(treeOptions({ seed }));
      const [branch] = tree.fork(tree.root, 1);
      await tree.extend([branch!], { steps: Infinity, temperature: 0 });
      await tree.close();
      return branch!.text;
    }),
  );
  expect(texts[0]).toBe(texts[1]);
});

describe("hard caps", () => {
  test("a token budget is spent to the token, by any number of branches", async () => {
    for (const tokenBudget of [1, 10, 37]) {
      const tree = await engine.openTree(treeOptions({ tokenBudget }));
      const branches = tree.fork(tree.root, 8);
      await tree.extend(branches, { steps: Infinity });
      expect(tree.exhausted).toBe(true);
      expect(branches.some((branch) => branch.finishReason === "budget")).toBe(true);
      expect((await tree.close()).generatedTokens).toBe(tokenBudget);
    }
  });

  test("maxLength is a length stop, not an end", async () => {
    const tree = await engine.openTree(treeOptions({ maxLength: 5, steps: { delimiters: [] } }));
    const branches = tree.fork(tree.root, 4);
    await tree.extend(branches, { steps: Infinity });
    for (const branch of branches) {
      expect(branch).toMatchObject({ finishReason: "length", finished: false });
      expect(branch.text).toHaveLength(5);
    }
    await tree.close();
  });

  test("a deadline returns what there is", async () => {
    const slow = await loadFake({ decodeMicroseconds: 5000 });
    const tree = await slow.openTree(treeOptions({ deadlineMs: 40, steps: { delimiters: [] } }));
    const branches = tree.fork(tree.root, 4);
    const begun = performance.now();
    await tree.extend(branches, { steps: Infinity });
    await tree.score(branches);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(branches.map((branch) => branch.finishReason)).toContain("deadline");
    expect(tree.exhausted).toBe(true);
    await tree.close();
    await slow.close();
  });
});

describe("errors belong to one operation", () => {
  test.each([
    ["", "EMPTY_PROMPT"],
    ["9".repeat(2000), "CONTEXT_EXCEEDED"],
  ])("a prompt that cannot be used (%#)", async (prompt, code) => {
    await expect(engine.openTree(treeOptions({ prompt }))).rejects.toMatchObject({ code });
    expect(held()).toEqual(nothing);
  });

  test("a released branch cannot go on", async () => {
    const tree = await engine.openTree(treeOptions());
    const [branch] = tree.fork(tree.root, 1);
    tree.release([branch!]);
    tree.release([branch!]); // once more does no harm
    await expect(tree.extend([branch!])).rejects.toMatchObject({ code: "BRANCH_RELEASED" });
    expect(() => tree.fork(branch!, 1)).toThrow(expect.objectContaining({ code: "BRANCH_RELEASED" }));
    await tree.close();
  });

  test("no verifier, no scores", async () => {
    const unjudged = await loadFake({}, null);
    const tree = await unjudged.openTree(treeOptions());
    const [branch] = tree.fork(tree.root, 1);
    await tree.extend([branch!]);
    await expect(tree.score([branch!])).rejects.toMatchObject({ code: "NO_VERIFIER" });
    await unjudged.close();
  });

  test("broken weights", async () => {
    const broken = await loadFake({ nanAfterToken: "?".charCodeAt(0) });
    const tree = await broken.openTree(treeOptions());
    await expect(tree.extend(tree.fork(tree.root, 3))).rejects.toMatchObject({ code: "BAD_LOGITS" });
    await tree.close();
    await broken.close();
  });
});

describe("cancellation", () => {
  test("an aborted signal rejects what is under way and frees everything", async () => {
    const slow = await loadFake({ decodeMicroseconds: 5000 });
    for (let i = 0; i < 20; i++) {
      const tree = await slow.openTree(treeOptions({ signal: abortAfter(slow, 1 + i) }));
      const extending = tree.extend(tree.fork(tree.root, 8), { steps: Infinity, score: true });
      await expect(extending).rejects.toMatchObject({ code: "CANCELLED" });
      await tree.close();
      expect(slow.stats()).toMatchObject(nothing);
    }
    await slow.close();
  });

  test("a signal that fired before costs nothing", async () => {
    await expect(engine.openTree(treeOptions({ signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(engine.stats().decodes).toBe(0);
  });

  test("closing the engine rejects what is under way, and what comes later", async () => {
    const slow = await loadFake({ decodeMicroseconds: 2000 });
    const tree = await slow.openTree(treeOptions());
    const extending = tree.extend(tree.fork(tree.root, 8), { steps: Infinity });
    const closing = slow.close();
    await expect(extending).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    await closing;
    await expect(slow.openTree(treeOptions())).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    await slow.close();
  });
});

test("a solution whose next token is the end token is whole at its last step, not one step later", async () => {
  const tree = await engine.openTree(treeOptions());
  const branches = tree.fork(tree.root, 8);
  for (let round = 0; round < 20; round++) await tree.extend(branches, { temperature: 0 });
  const [first] = tree.fork(tree.root, 1);
  const texts: string[] = [];
  while (!first!.finished) {
    await tree.extend([first!], { temperature: 0 });
    texts.push(first!.steps.at(-1)!.text);
  }
  expect(new Set(branches.map((branch) => branch.text))).toEqual(new Set([first!.text]));
  expect(texts).toEqual(first!.steps.map((step) => step.text)); // no call ended without a step of its own
  expect((await tree.close()).recomputedTokens).toBe(0); // the peek's logits were kept for the next step
});
