/** LoRAs of PEFT's: as adapters they are worth what they are when merged into the checkpoint; what an adapter cannot say is told. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { shapes } from "../../bench/gguf/shapes.js";
import { writeRandomModel } from "../../bench/gguf/random-model.js";
import { seededRandom } from "../../lib/evaluation/statistics.js";
import { Engine, inspectModel, type VerifierFile } from "../../lib/index.js";
import { importLora } from "../../lib/models/import-lora.js";
import { importPrm } from "../../lib/models/import-prm.js";
import { SafetensorsFile } from "../../lib/models/safetensors.js";
import { safetensors, writeCheckpoint } from "../support/checkpoints.js";
import { parseGguf } from "../support/gguf-file.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-import-lora-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rank = 4;
const [alpha, base, out] = [6, join(folder, "base.gguf"), join(folder, "lora.gguf")];
const plain = { peft_type: "LORA", r: rank, lora_alpha: alpha, base_model_name_or_path: "x", target_modules: ["q_proj"] };
interface Stored {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

let peft = 0;
function writePeft(settings: object, tensors: readonly Stored[]): string {
  const path = join(folder, `peft-${++peft}`);
  mkdirSync(path);
  writeFileSync(join(path, "adapter_config.json"), JSON.stringify(settings));
  writeFileSync(join(path, "adapter_model.safetensors"), safetensors("F32", tensors));
  return path;
}

function matrix(name: string, [rows, columns]: readonly [number, number], seed: number): Stored & { values: Float32Array } {
  const random = seededRandom(seed);
  const values = Float32Array.from({ length: rows * columns }, () => (2 * random() - 1) / Math.sqrt(columns));
  return { name, shape: [rows, columns], values, bytes: new Uint8Array(values.buffer) };
}

/** A and B for each of the checkpoint's projections, of its own seeds. */
function pairsFor(shapes: ReadonlyMap<string, readonly number[]>) {
  const matrices = [...shapes].filter(([name]) => /_proj\.weight$|lm_head\.weight$/.test(name));
  return matrices.map(([name, [outputs, inputs]], i) => {
    const module = `base_model.model.${name.replace(/\.weight$/, "")}`;
    const a = matrix(`${module}.lora_A.weight`, [rank, inputs!], 2 * i + 1);
    return { name, a, b: matrix(`${module}.lora_B.weight`, [outputs!, rank], 2 * i + 2) };
  });
}

/** Weights of a checkpoint by their names. */
async function weightsOf(checkpoint: string): Promise<Map<string, Stored>> {
  await using file = await SafetensorsFile.open(join(checkpoint, "model.safetensors"));
  const weights = new Map<string, Stored>();
  for (const tensor of file.tensors.values()) {
    const { name, shape, bytes } = tensor;
    weights.set(name, { name, shape, bytes: Uint8Array.from(await tensor.read(0, bytes)) });
  }
  return weights;
}

let merges = 0;
/** The checkpoint with W + factor * B * A in the place of each W, and `changed` weights. */
function merged(
  checkpoint: string,
  changed: Map<string, Stored>,
  pairs: ReturnType<typeof pairsFor>,
  factor: number,
  settings: object = {},
): string {
  const into = join(folder, `merged-${++merges}`);
  mkdirSync(into);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    writeFileSync(join(into, name), readFileSync(join(checkpoint, name)));
  }
  const config = JSON.parse(readFileSync(join(checkpoint, "config.json"), "utf8")) as object;
  writeFileSync(join(into, "config.json"), JSON.stringify({ ...config, ...settings }));
  for (const { name, a, b } of pairs) {
    const { shape, bytes } = changed.get(name)!;
    const [outputs, inputs] = shape as [number, number];
    const weights = new Float32Array(bytes.slice().buffer);
    for (let i = 0; i < outputs * inputs; i++) {
      const [output, input] = [Math.floor(i / inputs), i % inputs];
      for (let r = 0; r < rank; r++) weights[i]! += factor * b.values[output * rank + r]! * a.values[r * inputs + input]!;
    }
    changed.set(name, { name, shape, bytes: new Uint8Array(weights.buffer) });
  }
  writeFileSync(join(into, "model.safetensors"), safetensors("F32", [...changed.values()]));
  return into;
}

async function scoresOf(verifier: VerifierFile): Promise<number[]> {
  await using engine = await Engine.load({ generator: { fake: {} }, verifier });
  return (await engine.score("What is 2 + 3 * 4?", ["3 * 4 = 12.", "2 + 12 = 14."])).scores as number[];
}

describe("a LoRA on a checkpoint of Mistral's family, whose heads GGUF has in another order", () => {
  const asked = { recipe: "math-shepherd", type: "F32" } as const;

  it.each([
    ["plain", {}, alpha / rank],
    ["rank-stabilised", { use_rslora: true }, alpha / Math.sqrt(rank)],
  ])("scores as the merged checkpoint does: %s", async (_, settings, factor) => {
    const checkpoint = await writeCheckpoint(folder, "math-shepherd");
    await importPrm(checkpoint, { out: base, ...asked });
    const originals = await weightsOf(checkpoint);
    const pairs = pairsFor(new Map([...originals].map(([name, { shape }]) => [name, shape])));
    const tensors = pairs.flatMap(({ a, b }) => [a, b]);
    const imported = await importLora(writePeft({ ...plain, ...settings }, tensors), { base: await inspectModel(base), out });
    expect(imported).toEqual({ adapter: out, head: undefined, recipe: undefined });
    const whole = merged(checkpoint, originals, pairs, factor);
    const { backbone } = await importPrm(whole, { out: join(whole, "merged"), ...asked });
    const recipe = "likelihood";
    const adapted = await scoresOf({ path: base, adapters: [out], recipe });
    const expected = await scoresOf({ path: backbone, recipe });
    const without = await scoresOf({ path: base, recipe });
    expect(adapted).toHaveLength(2);
    for (const [i, score] of adapted.entries()) {
      expect(score / expected[i]!).toBeCloseTo(1, 2);
      expect(Math.abs(without[i]! / expected[i]! - 1)).toBeGreaterThan(0.1);
    }
  });

  it("is read by the head that was trained with it, before that of the base", async () => {
    const checkpoint = await writeCheckpoint(folder, "reasoneval-7b");
    const { backbone } = await importPrm(checkpoint, { out: join(folder, "reasoner"), type: "F32" });
    const weights = await weightsOf(checkpoint);
    const pairs = pairsFor(new Map([...weights].map(([name, { shape }]) => [name, shape])));
    const head = [matrix("score.weight", [2, 64], 77), { ...matrix("score.bias", [1, 2], 78), shape: [2] }];
    const trained = [...pairs.flatMap(({ a, b }) => [a, b]), ...head.map((one) => ({ ...one, name: `base_model.model.${one.name}` }))];
    const name = join(folder, "trained");
    expect(await importLora(writePeft(plain, trained), { base: await inspectModel(backbone), out: name })).toEqual({
      ...{ adapter: `${name}.gguf`, head: `${name}.head.gguf`, recipe: "trl" },
    });

    for (const old of ["score_head.weight", "score_head.bias"]) weights.delete(old);
    for (const one of head) weights.set(one.name, one);
    const whole = merged(checkpoint, weights, pairs, alpha / rank, { architectures: ["MistralForTokenClassification"] });
    const expected = await scoresOf({ path: (await importPrm(whole, { out: join(whole, "merged"), type: "F32" })).backbone });
    const adapted = await scoresOf({ path: backbone, adapters: [{ path: `${name}.gguf` }] });
    const without = await scoresOf({ path: backbone });
    for (const [i, score] of adapted.entries()) {
      expect(Math.abs(score - expected[i]!)).toBeLessThan(2e-3);
      expect(Math.abs(without[i]! - expected[i]!)).toBeGreaterThan(0.02);
    }

    // The next import by that name has none.
    await importLora(writePeft(plain, pairs.flatMap(({ a, b }) => [a, b])), { base: await inspectModel(backbone), out: name });
    expect(existsSync(`${name}.head.gguf`)).toBe(false);
  });
});

describe("a LoRA on a model of Qwen2's family", () => {
  const name = "base_model.model.model.layers.1.self_attn.q_proj";
  const a = matrix(`${name}.lora_A.weight`, [rank, 64], 1);
  const b = matrix(`${name}.lora_B.weight`, [64, rank], 2);
  const qwen = join(folder, "qwen.gguf");
  beforeAll(() => writeRandomModel(qwen, { shape: shapes.tiny, type: "Q8_0" }));

  it("keeps its numbers and their order", async () => {
    await importLora(writePeft(plain, [a, b]), { base: await inspectModel(qwen), out });
    const { tensors, entries } = parseGguf(readFileSync(out));
    expect(tensors.map(({ name }) => name)).toEqual(["blk.1.attn_q.weight.lora_a", "blk.1.attn_q.weight.lora_b"]);
    expect(tensors.map(({ data, type }) => [type, data.equals(a.bytes)])[0]).toEqual([0, true]);
    expect(tensors[1]!.data.equals(b.bytes)).toBe(true);
    expect(entries).toContainEqual({ key: "adapter.lora.alpha", type: 6, value: alpha });
    await using engine = await Engine.load({ generator: { path: qwen, adapters: [out] }, verifier: null });
    expect(engine.models.generator.parameters).toBeGreaterThan(0);
  });

  it.each<[string, object, Stored[], string, RegExp]>([
    ["of another type", { ...plain, peft_type: "IA3" }, [a, b], "UNSUPPORTED_MODEL", /PEFT's type IA3, not LORA/],
    ["with DoRA", { ...plain, use_dora: true }, [a, b], "UNSUPPORTED_MODEL", /cannot say what use_dora means; merge it/],
    ["with alphas of their own", { ...plain, alpha_pattern: { q: 2 } }, [a, b], "UNSUPPORTED_MODEL", /alpha_pattern/],
    ["that is activated", { ...plain, alora_invocation_tokens: [1] }, [a, b], "UNSUPPORTED_MODEL", /alora_invocation/],
    [
      "with whole weights besides",
      plain,
      [a, b, matrix("base_model.model.model.norm.weight", [1, 64], 3)],
      "UNSUPPORTED_MODEL",
      /holds base_model\.model\.model\.norm\.weight, which is no LoRA/,
    ],
    [
      "with a head of another width",
      plain,
      [a, b, matrix("base_model.model.score.weight", [2, 32], 3)],
      "MODEL_LOAD_FAILED",
      /score is of shape \[2, 32\], which does not take 64 numbers/,
    ],
    [
      "with a head and more",
      plain,
      [a, b, matrix("base_model.model.score.weight", [2, 64], 3), matrix("base_model.model.model.norm.weight", [1, 64], 4)],
      "UNSUPPORTED_MODEL",
      /model\.norm\.weight/,
    ],
    ["without tensors", plain, [], "MODEL_LOAD_FAILED", /no tensors/],
    ["without a rank", { ...plain, r: undefined }, [a, b], "MODEL_LOAD_FAILED", /adapter_config\.json: r:/],
  ])("%s is refused, and leaves nothing", async (_, settings, tensors, code, message) => {
    const file = join(folder, "refused.gguf");
    const work = importLora(writePeft(settings, tensors), { base: await inspectModel(qwen), out: file });
    await expect(work).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(existsSync(file)).toBe(false);
  });

  it("leaves nothing when it is stopped or cannot be written", async () => {
    const from = writePeft(plain, [a, b]);
    const stopped = join(folder, "stopped.gguf");
    await expect(importLora(from, { base: await inspectModel(qwen), out: stopped, signal: AbortSignal.abort() })).rejects.toThrow();
    expect([existsSync(stopped), existsSync(`${stopped}.part`)]).toEqual([false, false]);
    const nowhere = join(folder, "nowhere", "x.gguf");
    await expect(importLora(from, { base: await inspectModel(qwen), out: nowhere })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});
