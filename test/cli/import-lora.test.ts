/** `thinktree import-lora` as a user meets it: what it prints, and what it says of a wrong call. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { shapes } from "../../bench/gguf/shapes.js";
import { writeRandomModel } from "../../bench/gguf/random-model.js";
import type { Answer } from "../../lib/index.js";
import { safetensors } from "../support/checkpoints.js";
import { thinktree } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-cli-lora-"));
const [base, peft] = [join(folder, "base.gguf"), join(folder, "peft")];
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  await writeRandomModel(base, { shape: shapes.tiny, type: "Q8_0" });
  mkdirSync(peft);
  writeFileSync(join(peft, "adapter_config.json"), JSON.stringify({ peft_type: "LORA", r: 2, lora_alpha: 4 }));
  const name = "base_model.model.model.layers.0.mlp.down_proj.lora";
  const tensors = [
    { name: `${name}_A.weight`, shape: [2, 128], bytes: new Uint8Array(2 * 128 * 4) },
    { name: `${name}_B.weight`, shape: [64, 2], bytes: new Uint8Array(64 * 2 * 4) },
  ];
  writeFileSync(join(peft, "adapter_model.safetensors"), safetensors("F32", tensors));
});

it("prints the file, and a search takes it", async () => {
  const out = join(folder, "lora.gguf");
  expect(await thinktree(["import-lora", peft, "--base", base, "--out", out])).toEqual({
    ...{ code: 0, stderr: "", stdout: `${out}\n` },
  });
  const flags = ["--generator", base, "--verifier", base, "--verifier-lora", `${out}:0.5`, "--verifier-lora", out];
  const answer = await thinktree([
    "solve",
    "1+1?",
    ...flags,
    "--n",
    "2",
    "--strategy",
    "best-of-n",
    "--max-tokens",
    "40",
    "--json",
  ]);
  expect(answer.stderr).toBe("");
  const { ledger } = JSON.parse(answer.stdout) as Pick<Answer, "ledger">;
  expect(ledger.verifierTokens).toBeGreaterThan(0);
});

it.each<[string, string[], RegExp]>([
  ["no folder", ["/nowhere", "--base", base, "--out", "x"], /cannot import \/nowhere: there is no such folder/],
  ["no base", [peft, "--out", "x"], /required option '--base <file\.gguf>'/],
  [
    "no such base",
    [peft, "--base", "/nowhere.gguf", "--out", "x"],
    /cannot read the model \/nowhere\.gguf: no such file/,
  ],
])("says what is wrong with %s", async (_, args, message) => {
  const { code, stdout, stderr } = await thinktree(["import-lora", ...args]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^thinktree: [^\n]+\n$/);
  expect(stderr).toMatch(message);
});
