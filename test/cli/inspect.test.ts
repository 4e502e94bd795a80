/** `thinktree inspect`, from the outside. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { shapes } from "../../bench/gguf/shapes.js";
import { writeRandomModel } from "../../bench/gguf/random-model.js";
import type { ModelInspection } from "../../lib/index.js";
import { parseGguf, serialiseGguf, stringType } from "../support/gguf-file.js";
import { randomLora, writeLora } from "../support/lora.js";
import { buildModelMaker, writeSpecialModels } from "../support/random-models.js";
import { thinktree } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-cli-inspect-"));
afterAll(() => rmSync(folder, { recursive: true }));

const model = join(folder, "model.gguf");
const compressed = join(folder, "compressed.gguf");
const adapter = join(folder, "adapter.gguf");
const rude = join(folder, "rude.gguf");
beforeAll(async () => {
  await writeRandomModel(model, { shape: shapes.tiny, type: "Q8_0" });
  withTexts(compressed, { "general.architecture": "deepseek4" });
  withTexts(rude, { "general.name": "\u001b[2J\u001b]0;x\u0007", "tokenizer.chat_template": "\u001b[31m".repeat(500) });
});

function withTexts(path: string, texts: Readonly<Record<string, string>>): void {
  const file = parseGguf(readFileSync(model));
  file.entries = file.entries.filter(({ key }) => !(key in texts));
  for (const [key, value] of Object.entries(texts)) file.entries.push({ key, type: stringType, value });
  writeFileSync(path, serialiseGguf(file));
}

describe("thinktree inspect", () => {
  it("says what a model is and needs, in 80 columns without colours", async () => {
    const { code, stdout, stderr } = await thinktree(["inspect", model, "--branches", "64", "--length", "1024"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).not.toContain("\u001b");
    for (const said of [
      /qwen2, \d+ k parameters/,
      /q8_0/,
      /2,048 tokens/,
      /1,024 tokens/,
      /eos <\|endoftext\|>/,
      /loads +yes/,
    ])
      expect(stdout).toMatch(said);
    expect(stdout).toMatch(/66,048 KV cells: 64 branches of 1,024 tokens after 512/);
  });

  it("tells a hybrid's states from its cells", async () => {
    buildModelMaker();
    const hybrids = writeSpecialModels(["lfm2"]);
    const { code, stdout } = await thinktree(["inspect", join(hybrids, "lfm2.gguf"), "--branches", "255"]);
    rmSync(hybrids, { recursive: true });
    expect(code).toBe(0);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    // Two layers that remember two inputs of 64 floats.
    expect(stdout).toMatch(/with 256 recurrent states of 1\.00 KiB, one for every 256 cells/);
  });

  it("says it to programs", async () => {
    const { code, stdout } = await thinktree(["inspect", model, "--branches", "2", "--prompt", "256", "--json"]);
    const found = JSON.parse(stdout) as ModelInspection;
    expect(code).toBe(0);
    expect(found).toMatchObject({ path: model, architecture: "qwen2", refusal: null });
    expect(found.need).toMatchObject({ branches: 2, promptTokens: 256, lengthTokens: 512, cells: 1280 });
    expect(found.devices.map(({ gpu }) => gpu)).toContain(false);
  });

  it("ends with 3 where the engine would refuse the model, and with 2 where there is none", async () => {
    const refused = await thinktree(["inspect", compressed]);
    expect(refused).toMatchObject({ code: 3, stderr: "" });
    expect(refused.stdout).toMatch(/loads +no: its compressed cache/);
    const gone = await thinktree(["inspect", join(folder, "gone.gguf")]);
    expect(gone).toMatchObject({ code: 2, stdout: "" });
    expect(gone.stderr).toMatch(/^thinktree: cannot read the model [^\n]*no such file[^\n]*\n$/);
  });

  it("says what an adapter is, and where it is named", async () => {
    const file = parseGguf(readFileSync(model));
    writeLora(adapter, file, randomLora(file, /attn_q/, { rank: 4, alpha: 8, seed: 1 }));
    const { code, stdout } = await thinktree(["inspect", adapter]);
    expect(code).toBe(3);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/LoRA on qwen2, rank 4, alpha 8/);
    expect(stdout).toMatch(/changes +2 tensors of the model/);
    expect(stdout.replaceAll(/\s+/g, " ")).toMatch(/no: an adapter for a model, .*--verifier-lora/);
    const { lora } = JSON.parse((await thinktree(["inspect", adapter, "--json"])).stdout) as ModelInspection;
    expect(lora).toEqual({ rank: 4, alpha: 8, tensors: 2 });
  });

  it("lets no file steer the terminal", async () => {
    const { code, stdout } = await thinktree(["inspect", rude]);
    expect(code).toBe(0);
    expect(stdout).not.toContain("\u001b");
    expect(stdout.split("\n").length).toBeLessThan(60);
  });
});
