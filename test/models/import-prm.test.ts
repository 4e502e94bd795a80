/** What import-prm writes besides full precision, and what it leaves behind when it cannot. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readGgufFileInfo } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { WeightFormat } from "../../lib/engine/weights.js";
import { Engine } from "../../lib/index.js";
import { importPrm, type ImportOptions } from "../../lib/models/import-prm.js";
import { safetensors, writeCheckpoint } from "../support/checkpoints.js";
import { readGolden } from "../support/golden.js";
import { buildModelProbe, ModelProbe } from "../support/model-probe.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-import-"));
let checkpoint: string;
beforeAll(async () => {
  buildModelProbe();
  checkpoint = await writeCheckpoint(folder, "reasoneval-34b");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let outputs = 0;
/** Into a folder of its own, so that all that is written is seen. */
function imported(options: Partial<ImportOptions> = {}, from = checkpoint) {
  const into = join(folder, `out-${++outputs}`);


  mkdirSync(into);
  return { into, work: importPrm(from, { out: join(into, "prm"), ...options }) };
}

async function typesOf(path: string) {
  const { tensorInfo } = await readGgufFileInfo(path, { logWarnings: false });
  const type = (name: string) => tensorInfo!.find((tensor) => tensor.name === name)!.ggmlType;
  return { matrix: type("blk.0.ffn_gate.weight"), embeddings: type("token_embd.weight"), norm: type("output_norm.weight") };
}

const codes = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, Q4_K: 12, Q5_K: 13, Q6_K: 14, BF16: 30 };

describe("the type", () => {
  // 64 columns are no multiple of 256, so that what wants blocks of 256 gets Q8_0.
  it.each<[WeightFormat, WeightFormat, WeightFormat, number]>([
    ["F16", "F16", "F16", 0.01],
    ["BF16", "BF16", "BF16", 0.05],
    ["Q8_0", "Q8_0", "Q8_0", 0.05],
    ["Q4_K", "Q8_0", "Q8_0", 0.05],
    ["Q4_0", "Q4_0", "Q8_0", 0.6],
  ])("%s gives matrices of %s and embeddings of %s", async (type, matrix, embeddings, tolerance) => {
    const files = await imported({ type }).work;
    expect(await typesOf(files.backbone)).toEqual({ matrix: codes[matrix], embeddings: codes[embeddings], norm: codes.F32 });
    await using probe = new ModelProbe(files.backbone);
    const { tokens, reads, hidden } = readGolden("reasoneval-34b").cases[0]!;
    const found = (await probe.hidden(tokens))[reads.at(-1)!]!;
    const squares = (values: readonly number[]) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    expect(squares(found.map((value, i) => value - hidden[i]!)) / squares(hidden)).toBeLessThan(tolerance);
  });
});

it("writes a model that the engine loads, and tells how far it is", async () => {
  const told: number[] = [];
  const { into, work } = imported({ onProgress: ({ done, total }) => told.push(done / total) });
  const files = await work;
  expect(readdirSync(into).sort()).toEqual(["prm.gguf", "prm.head.gguf"]);
  expect(files).toEqual({ recipe: "reasoneval-34b", backbone: join(into, "prm.gguf"), head: join(into, "prm.head.gguf") });
  expect(told.at(-1)).toBe(1);
  expect(told).toEqual([...told].sort((a, b) => a - b));
  await using engine = await Engine.load({ generator: files.backbone, verifier: null });
  expect(engine.models.generator).toMatchObject({ vocabulary: 32_000, width: 64 });
  const { metadata } = await readGgufFileInfo(files.backbone, { logWarnings: false });
  expect(metadata).toMatchObject({ thinktree: { verifier: { recipe: "reasoneval-34b" } } });
});

it("takes away the head of an earlier import that the model has not", async () => {
  const plain = await writeCheckpoint(folder, "math-shepherd");
  const { into, work } = imported();
  await work;
  await importPrm(plain, { out: join(into, "prm.gguf"), recipe: "math-shepherd" });
  expect(readdirSync(into)).toEqual(["prm.gguf"]);
});

describe("nothing is left", () => {
  it("of an import that is stopped", async () => {
    const controller = new AbortController();
    const { into, work } = imported({ signal: controller.signal, onProgress: () => controller.abort() });
    await expect(work).rejects.toThrow(/abort/);
    expect(readdirSync(into)).toEqual([]);
  });

  it("of one that fails in the middle, and what was there stays", async () => {
    const broken = mkdtempSync(join(folder, "broken-"));
    for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
      writeFileSync(join(broken, name), readFileSync(join(checkpoint, name)));
    }
    const weights = readFileSync(join(checkpoint, "model.safetensors"));
    weights.fill(0xff, weights.length - 2); // a number that is none, in the head
    writeFileSync(join(broken, "model.safetensors"), weights);
    const { into, work } = imported({}, broken);
    await expect(work).rejects.toMatchObject({ code: "INVALID_OPTION", message: expect.stringMatching(/score_head.*not a number/) as string });
    expect(readdirSync(into)).toEqual([]);
  });

  it("where it cannot be written", async () => {
    const out = join(folder, "nowhere", "prm");
    await expect(importPrm(checkpoint, { out })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(existsSync(join(folder, "nowhere"))).toBe(false);
  });
});

it("refuses numbers that it cannot read", async () => {
  const quantised = mkdtempSync(join(folder, "quantised-"));
  for (const name of ["config.json", "tokenizer.json"]) writeFileSync(join(quantised, name), readFileSync(join(checkpoint, name)));
  const config = { ...(JSON.parse(readFileSync(join(checkpoint, "config.json"), "utf8")) as object), num_hidden_layers: 1 };
  writeFileSync(join(quantised, "config.json"), JSON.stringify(config));
  writeFileSync(join(quantised, "model.safetensors"), int8Checkpoint());
  await expect(imported({ recipe: "math-shepherd" }, quantised).work).rejects.toMatchObject({
    ...{ code: "UNSUPPORTED_MODEL", message: expect.stringMatching(/is of type I8; known are F32, F16, BF16/) as string },
  });
});

function int8Checkpoint(): Buffer {
  const own = "model.layers.0.";
  const shapes = {
    ...{ "model.embed_tokens.weight": [32_000, 64], "model.norm.weight": [64], "lm_head.weight": [32_000, 64] },
    ...{ [`${own}input_layernorm.weight`]: [64], [`${own}post_attention_layernorm.weight`]: [64] },
    ...{ [`${own}self_attn.q_proj.weight`]: [64, 64], [`${own}self_attn.k_proj.weight`]: [32, 64] },
    ...{ [`${own}self_attn.v_proj.weight`]: [32, 64], [`${own}self_attn.o_proj.weight`]: [64, 64] },
    ...{ [`${own}mlp.gate_proj.weight`]: [128, 64], [`${own}mlp.up_proj.weight`]: [128, 64] },
    ...{ [`${own}mlp.down_proj.weight`]: [64, 128] },
  };
  const tensors = Object.entries(shapes).map(([name, shape]) => ({
    ...{ name, shape, bytes: new Uint8Array(shape.reduce((product, length) => product * length, 1)) },
  }));
  return safetensors("I8", tensors);
}
