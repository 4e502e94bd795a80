/**
 * Hybrid models, of attention and recurrent states, as generators and as verifiers: searches write what each branch writes
 * alone, within little memory as within much, and give all of it back. Random weights; test/kernels holds each row against
 * its path read alone.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { beamSearch, bestOfN, Engine, inspectModel } from "../../lib/index.js";
import { treeOptions } from "../support/fake-engine.js";
import { writeHead } from "../support/heads.js";
import { buildModelMaker, writeSpecialModels } from "../support/random-models.js";
import { threeRounds } from "../support/three-rounds.js";

/** Short convolutions, a state space, and a delta net whose attention reads masks: its positions have four parts. */
const [lfm2, granite, qwen35] = ["lfm2", "granitehybrid", "qwen35"] as const;
let folder: string;
beforeAll(() => {
  buildModelMaker();
  folder = writeSpecialModels([lfm2, granite, qwen35]);
});
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, `${name}.gguf`);

let engine: EngineCore | undefined;
afterEach(() => engine?.close());

const idle = { kvCells: 0, verifierKvCells: 0, leases: 0, searches: 0, branches: 0 };

async function grow(name: string, kvCells: number) {
  const model = path(name);
  const core = (engine = await EngineCore.load({ generator: model, verifier: model, kvCells }));
  const prompt = `${"The sum of 3 and 4 is seven. ".repeat(4)}What is it?`;
  const tree = await core.openTree(treeOptions({ prompt, steps: { delimiters: [], tokens: 12 }, maxLength: 60 }));
  const found = await threeRounds(tree);
  const stats = core.stats();
  await core.close();
  return { ...found, stats };
}

describe("a hybrid model", () => {
  test.each([lfm2, granite])("writes and scores the same in much memory and in little: %s", async (name) => {
    const roomy = await grow(name, 16_384);
    expect(roomy.stats).toMatchObject({ ...idle, treeAttention: 2 });
    expect(new Set(roomy.texts).size).toBeGreaterThan(6);
    expect(roomy.ledger.recomputedTokens).toBe(0);
    // A cell a token, however many states have read it.
    expect(roomy.ledger.kvCellsPeak).toBeLessThanOrEqual(roomy.ledger.treeTokensPeak);
    const tight = await grow(name, 2 * 256);
    expect(tight.stats).toMatchObject(idle);
    expect(tight.ledger.recomputedTokens).toBeGreaterThan(0);
    expect(tight.ledger.kvCellsPeak).toBeLessThanOrEqual(2 * 256);
    for (const part of ["promptTokens", "generatedTokens", "verifierPromptTokens", "verifierTokens"] as const) {
      expect(tight.ledger[part]).toBe(roomy.ledger[part]);
    }
    expect(tight.texts).toEqual(roomy.texts);
    tight.scores.forEach((score, i) => expect(score).toBeCloseTo(roomy.scores[i] ?? Number.NaN, 4));
  });

  test("that must have masks is given them", async () => {
    const { stats, ledger } = await grow(qwen35, 16_384);
    expect(stats).toMatchObject({ ...idle, treeAttention: 0 });
    expect(ledger.recomputedTokens).toBe(0);
    const tight = await grow(qwen35, 2 * 256);
    expect(tight.stats).toMatchObject(idle);
    expect(tight.ledger.recomputedTokens).toBeGreaterThan(0);
  });

  test.each([
    [lfm2, granite],
    [qwen35, lfm2],
  ])("is searched through the public engine: %s under %s", async (generator, verifier) => {
    const kvType = generator === qwen35 ? "q8_0" : "f16";
    await using loaded = await Engine.load({ generator: path(generator), verifier: path(verifier), kvType });
    for (const strategy of [bestOfN({ n: 8 }), beamSearch({ n: 8, beamWidth: 2 })]) {
      const { candidates, ledger } = await loaded.solve("What is 3 + 4?", { strategy, budget: { tokens: 1500 } });
      expect(candidates.length).toBeGreaterThan(0);
      expect(candidates.every(({ steps }) => steps.every(({ score }) => Number.isFinite(score)))).toBe(true);
      expect(ledger.generatedTokens).toBeGreaterThan(0);
      expect(ledger.generatedTokens).toBeLessThanOrEqual(1500);
      expect(ledger.recomputedTokens).toBe(0);
      expect(loaded.stats()).toMatchObject(idle);
    }
  });

  test("is read by a reward head, which leaves LFM2 without logits", async () => {
    const head = join(folder, "lfm2.head.gguf");
    await writeHead(head, 64);
    const recipe = {
      ...{ name: "same", prompt: "Q: {question}\n", words: "own" as const, aggregation: "min" as const },
      read: { head: "sigmoid" as const, classes: [0] },
    };
    await using loaded = await Engine.load({ generator: path(lfm2), verifier: { path: path(lfm2), head, recipe } });
    const { steps } = await loaded.solve("What is 3 + 4?", { strategy: bestOfN({ n: 4 }), budget: { tokens: 400 } });
    expect(steps.length).toBeGreaterThan(0);
    for (const { score } of steps) expect(score).toBeGreaterThan(0);
  });

  test("neither drafts nor is drafted for, nor scores its own states", async () => {
    const load = EngineCore.load({ generator: path(lfm2), verifier: null, draft: path(lfm2) });
    await expect(load).rejects.toMatchObject({ code: "INVALID_OPTION", message: /leave draft out/ });
    const head = join(folder, "own.head.gguf");
    await writeHead(head, 64);
    const scored = Engine.load({ generator: path(lfm2), verifier: head });
    await expect(scored).rejects.toMatchObject({ code: "INVALID_OPTION", message: /recurrent or hybrid/ });
  });
});

describe("inspecting a hybrid", () => {
  test("tells cells from states, and counts what the engine counts", async () => {
    const kvMib = 2;
    const { need, refusal, treeAttention } = await inspectModel(path(granite));
    expect(refusal).toBeNull();
    expect(treeAttention).toBe(true);
    // Two layers of attention, one head of 32 for keys and one for values; two Mamba-2 layers with four taps.
    const state = 4 * 2 * (128 * 16 + 3 * (128 + 2 * 16));
    expect(need!.f16).toMatchObject({ cellBytes: 2 * 2 * 2 * 32, stateBytes: state });
    expect(need!.q8_0).toMatchObject({ cellBytes: 2 * 2 * 34, stateBytes: state });
    for (const kvType of ["f16", "q8_0"] as const) {
      await using core = await EngineCore.load({ generator: path(granite), verifier: null, kvMib, kvType });
      const { cellBytes, stateBytes } = need![kvType]!;
      const cells = Math.floor((kvMib * 2 ** 20) / (cellBytes + Math.floor(stateBytes / 256)) / 256) * 256;
      expect(core.models.generator.kvCells).toBe(cells);
    }
  });

  test("asks for a state for each branch and where they part", async () => {
    const short = { branches: 40, promptTokens: 50, lengthTokens: 10 };
    const { need, warnings } = await inspectModel(path(lfm2), short);
    expect(need).toMatchObject({ cells: 41 * 256, states: 41 });
    const { cellBytes, stateBytes, cacheBytes } = need!.f16;
    expect(cacheBytes).toBe(41 * (256 * cellBytes + stateBytes));
    expect(warnings.join()).not.toMatch(/states among them/);
    const many = await inspectModel(path(lfm2), { ...short, branches: 300 });
    expect(many.need).toMatchObject({ cells: 65_536, states: 256 });
    expect(many.warnings.join()).toMatch(/300 branches have 256 states among them/);
  });
});
