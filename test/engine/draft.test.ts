/** A draft model over the real addon: the same texts with fewer decodes; what is refused; that nothing is held. */
import { fileURLToPath } from "node:url";

import { afterEach, describe, expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import type { Ledger } from "../../lib/index.js";
import { loadDrafting, loadFake, treeOptions } from "../support/fake-engine.js";

const model = (name: string) => fileURLToPath(new URL(`../../models/${name}.gguf`, import.meta.url));
let engine: EngineCore;
afterEach(() => engine.close());

const nothing = { kvCells: 0, draftKvCells: 0, leases: 0, searches: 0, branches: 0 };

/** `n` branches written to their ends. */
async function write(loading: Promise<EngineCore>, n: number, options: Parameters<typeof treeOptions>[0] = {}) {
  engine = await loading;
  const tree = await engine.openTree(treeOptions(options));
  const branches = tree.fork(tree.root, n);
  await tree.extend(branches, { steps: Infinity });
  const ledger = await tree.close();
  const stats = engine.stats();
  expect(stats).toMatchObject(nothing);
  await engine.close();
  return { texts: branches.map(({ text }) => text), branches, ledger, stats };
}

const kept = ({ speculatedKept, speculatedTokens }: Ledger) => speculatedKept / speculatedTokens;

describe("a toy", () => {
  test("writes the same with a draft model, in fewer decodes", async () => {
    const alone = await write(loadFake({}, null), 3);
    const drafted = await write(loadDrafting(), 3);
    expect(drafted.texts).toEqual(alone.texts);
    expect(drafted.stats.decodes).toBeLessThan(alone.stats.decodes / 2);
    expect(kept(drafted.ledger)).toBeGreaterThan(0.8);
    expect(drafted.ledger.generatedTokens).toBe(alone.ledger.generatedTokens);
    expect(alone.ledger).toMatchObject({ speculatedTokens: 0, speculatedKept: 0, draftTokens: 0 });
    expect(drafted.stats.draftTokens).toBe(drafted.ledger.draftTokens);

    const stray = await write(loadDrafting({ strayEvery: 2 }), 3);
    expect(stray.texts).toEqual(alone.texts);
    expect(kept(stray.ledger)).toBeLessThan(0.8);
  });

  test("is not drafted where too many texts are written, nor under a budget of operations", async () => {
    const many = await write(loadDrafting({ branches: 1 }), 8, { tokenBudget: 40 });
    expect(many.ledger.speculatedTokens).toBe(0);
    const budgeted = await write(loadDrafting(), 2, { flopsBudget: 1e9 });
    expect(budgeted.ledger).toMatchObject({ speculatedTokens: 0, draftTokens: 0 });
  });

  test("writes on when its draft model fails", async () => {
    const alone = await write(loadFake({}, null), 2);
    for (const fault of [{ failEvery: 1 }, { throwEvery: 3 }, { nanAfterToken: 55 }, { cells: 6 }]) {
      expect((await write(loadDrafting(fault), 2)).texts).toEqual(alone.texts);
    }
  });
});

describe("options", () => {
  test.each([
    [{ path: "a.gguf", tokens: 0 }, /draft/],
    [{ path: "a.gguf", tokens: 17 }, /draft/],
    [{ path: "a.gguf", branches: 0 }, /draft/],
    [{ fake: { vocab: 300 } }, /vocabulary \(300 tokens\) is not the generator's \(260\): .* leave draft out/],
  ])("%j is refused", async (draft, message) => {
    const loading = EngineCore.load({ generator: { fake: {} }, verifier: null, draft });
    await expect(loading).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(message) as string,
    });
  });

  test("a file that is no model is told as such", async () => {
    const loading = EngineCore.load({ generator: { fake: {} }, verifier: null, draft: "/nowhere.gguf" });
    await expect(loading).rejects.toMatchObject({ code: "MODEL_LOAD_FAILED" });
  });
});

describe("the embedded models", () => {
  const question =
    "Q: Mia has 4 bags with 6 shells each. She gives half of them to Ben. How many shells does Mia have now?\n";
  const run = (generator: string, draft: string | null, n: number, temperature: number) =>
    write(
      EngineCore.load({
        ...{ generator: model(generator), verifier: null },
        ...(draft !== null && { draft: { path: model(draft), tokens: 4, branches: 4 } }),
      }),
      n,
      {
        ...{ prompt: question, verifierPrompt: question, finalPrefix: "A: ", seed: 3 },
        sampler: { temperature, topK: 0, topP: 1, minP: 0 },
      },
    );

  // Rows of another batch shape are other floats in their last bits: a draw at the very edge of two tokens could fall
  // otherwise. None of these does.
  test.each([
    ["tiny-strong", 1, 0],
    ["tiny-strong", 4, 0.7],
    ["tiny-large", 1, 0],
    ["tiny-large", 4, 0.7],
  ])("%s with %i branches at temperature %d writes the same", async (generator, n, temperature) => {
    const alone = await run(generator, null, n, temperature);
    const drafted = await run(generator, "tiny-generator", n, temperature);
    expect(drafted.texts).toEqual(alone.texts);
    for (const [i, { steps }] of drafted.branches.entries()) {
      for (const [s, { logProbability }] of steps.entries()) {
        expect(logProbability).toBeCloseTo(alone.branches[i]!.steps[s]!.logProbability, 1);
      }
    }
    expect(drafted.ledger.speculatedKept).toBeGreaterThan(10);
    expect(drafted.stats.decodes).toBeLessThan(alone.stats.decodes);
    expect(drafted.ledger.generatedTokens).toBe(alone.ledger.generatedTokens);
  });
});
