/**
 * LoRA adapters, held against the same change made to the weights themselves: texts, probabilities, scores; each model of one
 * file has its own.
 */
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { shapes } from "../../bench/gguf/shapes.js";
import { writeRandomModel } from "../../bench/gguf/random-model.js";
import { EngineCore } from "../../lib/engine/engine-core.js";
import type { EngineOptions } from "../../lib/engine/options.js";
import { Engine } from "../../lib/index.js";
import { treeOptions } from "../support/fake-engine.js";
import { serialiseGguf, type GgufFile } from "../support/gguf-file.js";
import { embeddedModels } from "../support/models.js";
import { inFloats, merged, randomLora, writeLora, type Lora } from "../support/lora.js";

const models = embeddedModels();
const folder = mkdtempSync(join(tmpdir(), "thinktree-lora-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, `${name}.gguf`);

const everywhere = /^blk\..*(attn_[qkv]|attn_output|ffn_)/;
let model: GgufFile;
let writer: Lora, judge: Lora;

beforeAll(async () => {
  if (models === undefined) return;
  model = await inFloats(models.generator);
  writer = randomLora(model, everywhere, { rank: 4, alpha: 2, seed: 1 });
  judge = randomLora(model, /attn_[qv]|ffn_down/, { rank: 8, alpha: 4, seed: 2 });
  writeFileSync(path("plain"), serialiseGguf(model));
  writeLora(path("writer"), model, writer);
  writeLora(path("judge"), model, judge);
  write("merged-writer", [[writer, 1]]);
  write("merged-judge", [[judge, 1]]);
});

function write(name: string, changes: Parameters<typeof merged>[1]): void {
  writeFileSync(path(name), serialiseGguf(merged(model, changes)));
}

type Options = Pick<EngineOptions, "generator" | "verifier" | "draft" | "stockKernels">;
interface Written {
  readonly texts: string[];
  readonly logProbabilities: number[];
  readonly scores: number[];
}

const prompt = "Q: Mia has 4 bags with 6 shells each. She gives half of them to Ben. How many shells has Mia?\n";

/** What three branches write in two steps, and what the verifier says of it. */
async function run(options: Options): Promise<Written> {
  await using engine = await EngineCore.load({ verifier: null, kvCells: 2048, ...options });
  await using tree = await engine.openTree(treeOptions({ prompt, verifierPrompt: prompt, maxLength: 48 }));
  const branches = tree.fork(tree.root, 3);
  await tree.extend(branches, { steps: 2, score: options.verifier != null });
  if (options.verifier != null) await tree.score(branches);
  const steps = branches.flatMap((branch) => branch.steps);
  return {
    texts: branches.map(({ text }) => text),
    logProbabilities: steps.map(({ logProbability }) => logProbability),
    scores: steps.map(({ score }) => score ?? NaN),
  };
}

/** Log-probabilities and scores of F32 weights; sums are rounded in another order, and the caches hold halves. */
const tolerance = 2e-3;

function expectSame(one: Written, other: Written): void {
  expect(one.texts).toEqual(other.texts);
  for (const of of ["logProbabilities", "scores"] as const) {
    expect(one[of]).toHaveLength(other[of].length);
    const most = Math.max(...one[of].map((value, i) => Math.abs(value - other[of][i]!) || 0));
    expect(most).toBeLessThan(tolerance);
  }
}

describe("an adapter", { skip: models === undefined }, () => {
  const plain = () => ({ generator: path("plain"), verifier: path("plain") });

  it.each([false, true])("is as good as weights with its change in them (stock kernels: %s)", async (stockKernels) => {
    const adapted = await run({ generator: { path: path("plain"), adapters: [path("writer")] }, stockKernels });
    expectSame(adapted, await run({ generator: path("merged-writer"), stockKernels }));
    expect(adapted.texts).not.toEqual((await run({ generator: path("plain"), stockKernels })).texts);
  });

  it("is its model's alone where generator and verifier are one file", async () => {
    const [writes, judges] = [
      { path: path("plain"), adapters: [path("writer")] },
      { path: path("plain"), adapters: [{ path: path("judge") }] },
    ];
    const without = await run(plain());
    const judged = await run({ generator: path("plain"), verifier: judges });
    expect(judged.texts).toEqual(without.texts);
    expect(judged.logProbabilities).toEqual(without.logProbabilities);
    expectSame(judged, await run({ generator: path("plain"), verifier: path("merged-judge") }));
    expect(Math.abs(judged.scores[0]! - without.scores[0]!)).toBeGreaterThan(10 * tolerance);

    expectSame(
      await run({ generator: writes, verifier: path("plain") }),
      await run({ generator: path("merged-writer"), verifier: path("plain") }),
    );
    expectSame(
      await run({ generator: writes, verifier: judges }),
      await run({ generator: path("merged-writer"), verifier: path("merged-judge") }),
    );
  });

  it("counts by its scale, adds to others, and is none at scale 0", async () => {
    const on = (...adapters: [name: string, scale: number][]) =>
      run({
        generator: { path: path("plain"), adapters: adapters.map(([name, scale]) => ({ path: path(name), scale })) },
      });
    write("half", [[writer, 0.5]]);
    expectSame(await on(["writer", 0.5]), await run({ generator: path("half") }));
    write("both", [[writer, 0.5], [judge, -0.75]]); // prettier-ignore
    expectSame(await on(["writer", 0.5], ["judge", -0.75]), await run({ generator: path("both") }));
    expectSame(await on(["writer", 0.25], ["writer", 0.25]), await run({ generator: path("half") }));
    expect(await on(["writer", 0])).toEqual(await run({ generator: path("plain") }));
  });

  it("may be a draft's, whose guesses it changes and not the texts", async () => {
    const kept = async (scale: number) => {
      const draft = { path: path("plain"), adapters: [{ path: path("judge"), scale }] };
      await using engine = await EngineCore.load({ generator: path("plain"), verifier: null, draft });
      const sampler = { temperature: 0, topK: 0, topP: 1, minP: 0 };
      const tree = await engine.openTree(treeOptions({ prompt, maxLength: 64, sampler }));
      const branch = tree.fork(tree.root, 1)[0]!;
      await tree.extend([branch], { steps: 4 });
      const { speculatedKept } = await tree.close();
      return { text: branch.text, kept: speculatedKept };
    };
    const [same, other] = [await kept(0), await kept(20)];
    expect(other.text).toBe(same.text);
    expect(other.kept).toBeLessThan(same.kept);
  });

  it("may change embeddings and the output", async () => {
    const shape = { ...shapes.tiny, vocabulary: 512, tied: false };
    await writeRandomModel(path("random"), { shape, type: "F16" });
    const random = await inFloats(path("random"));
    const lora = randomLora(random, /token_embd|output\.weight/, { rank: 2, alpha: 1, seed: 3 });
    expect([...lora.pairs.keys()]).toEqual(expect.arrayContaining(["token_embd.weight", "output.weight"]));
    writeFileSync(path("random"), serialiseGguf(random));
    writeLora(path("embeddings"), random, lora);
    writeFileSync(path("merged-embeddings"), serialiseGguf(merged(random, [[lora, 1]])));
    const adapted = await run({ generator: { path: path("random"), adapters: [path("embeddings")] } });
    expectSame(adapted, await run({ generator: path("merged-embeddings") }));
    expect(adapted.texts).not.toEqual((await run({ generator: path("random") })).texts);
  });

  it("leaves one file's weights loaded once, and counts in parameters and operations", async () => {
    symlinkSync(path("plain"), path("link"));
    const own = (name: string) => ({ path: path(name), adapters: [path("judge")] });
    const size = statSync(path("plain")).size;
    await using engine = await EngineCore.load({
      generator: path("plain"),
      verifier: own("link"),
      draft: own("plain"),
    });
    const { generator, verifier, draft } = engine.models;
    expect(generator.weightBytes).toBeGreaterThan(0.9 * size);
    const pairs = [...judge.pairs.values()];
    const added = pairs.reduce((sum, { a, b }) => sum + a.length + b.length, 0);
    expect([verifier!.weightBytes, draft!.weightBytes]).toEqual([4 * added, 4 * added]);
    expect(verifier!.parameters).toBe(generator.parameters + added);

    // Other layers on a GPU are other weights in memory.
    await using apart = await EngineCore.load({
      ...{ generator: path("plain"), verifier: { path: path("plain"), gpuLayers: 0 } },
    });
    expect(apart.models.verifier!.weightBytes).toBe(generator.weightBytes);
  });

  it("makes another model of a policy's and a journal's point of view", async () => {
    const printOf = async (...adapters: (string | { path: string; scale: number })[]) => {
      await using engine = await Engine.load({ generator: { path: path("plain"), adapters }, verifier: null });
      return engine.fingerprints.generator;
    };
    const [none, one] = [await printOf(), await printOf(path("writer"))];
    const half = { path: path("writer"), scale: 0.5 };
    expect(new Set([none, one, await printOf(half), await printOf(path("writer"), path("judge"))]).size).toBe(4);
    expect(await printOf({ ...half, scale: 0 })).toBe(none);
    expect(await printOf({ ...half, scale: 1 })).toBe(one);
    expect(await printOf(half, path("judge"))).toBe(await printOf(path("judge"), half));
  });
});
