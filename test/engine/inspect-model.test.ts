/** What is said of a model before it is loaded, held against what the loaded engine says. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { shapes } from "../../bench/gguf/shapes.js";
import { writeRandomModel } from "../../bench/gguf/random-model.js";
import { EngineCore } from "../../lib/engine/engine-core.js";
import { inspectModel } from "../../lib/index.js";
import { treeOptions } from "../support/fake-engine.js";
import { parseGguf, serialiseGguf, stringType, type Entry } from "../support/gguf-file.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-inspect-"));
afterAll(() => rmSync(folder, { recursive: true }));

const shape = shapes.tiny;
const whole = join(folder, "whole.gguf");
beforeAll(() => writeRandomModel(whole, { shape, type: "Q8_0" }));

/** The same model with other metadata: a value by key, null for none. */
function changed(name: string, changes: Readonly<Record<string, Omit<Entry, "key"> | null>>): string {
  const path = join(folder, `${name}.gguf`);
  const file = parseGguf(readFileSync(whole));
  file.entries = file.entries.filter(({ key }) => !(key in changes));
  for (const [key, value] of Object.entries(changes)) if (value !== null) file.entries.push({ key, ...value });
  writeFileSync(path, serialiseGguf(file));
  return path;
}
const text = (value: string) => ({ type: stringType, value });
const uint32 = (value: number) => ({ type: 4, value });

describe("inspectModel", () => {
  it("says what the file is", async () => {
    const model = await inspectModel(whole);
    expect(model).toMatchObject({
      name: "random weights",
      architecture: "qwen2",
      fileBytes: statSync(whole).size,
      quantisation: "q8_0",
      contextTokens: shape.positions,
      layers: shape.layers,
      width: shape.width,
      heads: shape.heads,
      kvHeads: shape.kvHeads,
      headSize: shape.width / shape.heads,
      slidingWindow: null,
      experts: null,
      vocabulary: { kind: "gpt2", preTokenizer: "qwen2", size: shape.vocabulary },
      chatTemplate: null,
      recipe: {},
      refusal: null,
    });
    expect(model.vocabulary.specialTokens).toContainEqual({
      name: "eos",
      id: shape.vocabulary - 1,
      text: "<|endoftext|>",
    });
    expect(model.warnings).toEqual([expect.stringContaining("no recipe") as string]);
  });

  it("counts what the loaded engine counts", async () => {
    const [kvMib, mebibyte] = [2, 2 ** 20];
    const { parameters, treeAttention, need } = await inspectModel(whole);
    for (const kvType of ["f16", "q8_0"] as const) {
      await using core = await EngineCore.load({ generator: whole, verifier: null, kvMib, kvType });
      const { cellBytes } = need![kvType]!;
      expect(core.models.generator.parameters).toBe(parameters);
      // The engine has as many cells as fit, in steps of 256.
      const cells = Math.floor((kvMib * mebibyte) / cellBytes / 256) * 256;
      expect(core.models.generator.kvCells).toBe(cells);
      await using tree = await core.openTree(treeOptions({ prompt: "Q", verifierPrompt: "" }));
      await tree.extend(tree.fork(tree.root, 1));
      expect(core.stats().treeAttention).toBe(treeAttention ? 1 : 0);
    }
  });

  it("needs the prompt's cells once, and each branch's", async () => {
    const { need } = await inspectModel(whole, { branches: 4, promptTokens: 1000, lengthTokens: 200 });
    expect(need).toMatchObject({ branches: 4, cells: 2048 });
    const headSize = shape.width / shape.heads;
    const numbers = 2 * shape.layers * shape.kvHeads * headSize;
    expect(need!.f16).toMatchObject({ cellBytes: 2 * numbers, cacheBytes: 2 * numbers * 2048 });
    expect(need!.q8_0).toMatchObject({ cellBytes: (34 / 32) * numbers });
    expect(need!.f16.totalBytes).toBe(need!.weightBytes + need!.f16.cacheBytes + need!.f16.bufferBytes);
    expect(need!.f16.bufferBytes).toBeGreaterThan(0);
  });

  it("finds the recipe and the chat template", async () => {
    const chatml = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}";
    const path = changed("recipe", {
      "thinktree.prompt_template": text("Q: {question}"),
      "thinktree.unheard_of": text("x"),
      "tokenizer.chat_template": text(chatml),
    });
    const model = await inspectModel(path);
    expect(model.recipe).toEqual({ prompt_template: "Q: {question}" });
    expect(model.chatTemplate).toEqual({ text: chatml, renders: true });
    expect(model.warnings).toEqual([]);
    const odd = changed("odd", { "tokenizer.chat_template": text("{{ messages }}") });
    expect((await inspectModel(odd)).chatTemplate).toEqual({ text: "{{ messages }}", renders: false });
  });

  it.each<[string, Parameters<typeof changed>[1], string, RegExp]>([
    ["no hybrid model", { "general.architecture": text("jamba") }, "MODEL_LOAD_FAILED", /head_count is missing/],
    ["a compressed cache", { "general.architecture": text("deepseek4") }, "UNSUPPORTED_MODEL", /whole sequences only/],
    ["misplaced states", { "general.architecture": text("plamo2") }, "UNSUPPORTED_MODEL", /wrong places/],
    [
      "blocks of shared cells",
      { "general.architecture": text("qwen4exp") },
      "UNSUPPORTED_MODEL",
      /depend on the others/,
    ],
    ["no recurrent model", { "general.architecture": text("rwkv7") }, "MODEL_LOAD_FAILED", /key not found in model/],
    ["an encoder", { "general.architecture": text("bert") }, "UNSUPPORTED_MODEL", /not a decoder-only/],
    ["a diffusion model", { "general.architecture": text("llada") }, "UNSUPPORTED_MODEL", /those after them/],
    [
      "an unknown architecture",
      { "general.architecture": text("qwen9") },
      "UNSUPPORTED_MODEL",
      /no architecture qwen9/,
    ],
    ["no vocabulary", { "tokenizer.ggml.model": text("none") }, "UNSUPPORTED_MODEL", /no vocabulary/],
    ["no context", { "qwen2.context_length": uint32(0) }, "MODEL_LOAD_FAILED", /context_length is 0/],
    ["a missing key", { "qwen2.block_count": null }, "MODEL_LOAD_FAILED", /key not found in model: qwen2.block_count/],
    ["too many layers", { "qwen2.block_count": uint32(3) }, "MODEL_LOAD_FAILED", /blk\.2\./],
  ])("refuses %s as the engine does", async (name, changes, code, message) => {
    const path = changed(name, changes);
    const { refusal, need, warnings } = await inspectModel(path);
    expect(refusal).toEqual({ code, message: expect.stringMatching(message) as string });
    expect({ need, warnings }).toEqual({ need: null, warnings: [] });
    await expect(EngineCore.load({ generator: path })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it("warns of what will not work", async () => {
    const huge = await inspectModel(whole, { branches: 65_536, lengthTokens: 1 << 20 });
    expect(huge.warnings).toEqual(
      expect.arrayContaining(
        [/context is too short/, /more than one cache may have/, /not enough memory/].map(matching),
      ),
    );
    const odd = changed("endless", { "tokenizer.ggml.eos_token_id": null });
    expect((await inspectModel(odd)).warnings).toContainEqual(matching(/names no end token/));
  });

  it("says of what is no model file that it is none", async () => {
    const cut = join(folder, "cut.gguf");
    writeFileSync(cut, readFileSync(whole).subarray(0, -1000));
    await expect(inspectModel(cut)).rejects.toMatchObject({
      code: "MODEL_LOAD_FAILED",
      message: matching(/truncated/),
    });
    const gone = inspectModel(join(folder, "gone.gguf"));
    await expect(gone).rejects.toMatchObject({ code: "MODEL_LOAD_FAILED", message: matching(/no such file/) });
    await expect(inspectModel(whole, { branches: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as string;
}
