/** LoRA adapters that do not fit, and adapters in a model's place: each is told, by file and reason. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { inspectModel } from "../../lib/index.js";
import { arrayType, serialiseGguf, stringType, type GgufFile } from "../support/gguf-file.js";
import { embeddedModels } from "../support/models.js";
import { inFloats, randomLora, writeLora, type Lora } from "../support/lora.js";

const models = embeddedModels();
const folder = mkdtempSync(join(tmpdir(), "thinktree-lora-refusals-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, `${name}.gguf`);

let model: GgufFile;
let writer: Lora;
beforeAll(async () => {
  if (models === undefined) return;
  model = await inFloats(models.generator);
  writer = randomLora(model, /^blk\..*(attn_|ffn_)/, { rank: 4, alpha: 2, seed: 1 });
  writeFileSync(path("plain"), serialiseGguf(model));
  writeLora(path("writer"), model, writer);
});

describe("what is refused", { skip: models === undefined }, () => {
  const tensor = (file: GgufFile, name: string) => file.tensors.find((one) => one.name === name)!;
  const query = "blk.0.attn_q.weight";
  const text = (key: string, value: string) => (file: GgufFile) => {
    file.entries = [...file.entries.filter((entry) => entry.key !== key), { key, type: stringType, value }];
  };

  it.each<[string, (file: GgufFile) => void, string, RegExp]>([
    [
      "of another architecture",
      text("general.architecture", "qwen2"),
      "MODEL_LOAD_FAILED",
      /architecture qwen2, not llama/,
    ],
    [
      "of another type",
      text("adapter.type", "control_vector"),
      "UNSUPPORTED_MODEL",
      /type "control_vector": only "lora"/,
    ],
    ["that is a model", text("general.type", "model"), "MODEL_LOAD_FAILED", /is no adapter/],
    [
      "that is activated",
      (file) =>
        void file.entries.push({ key: "adapter.alora.invocation_tokens", type: arrayType, element: 4, value: [1, 2] }),
      "UNSUPPORTED_MODEL",
      /aLoRA.*after certain tokens/,
    ],
    [
      "of another shape",
      (file) => {
        tensor(file, `${query}.lora_a`).dimensions = [64n, 8n];
      },
      "MODEL_LOAD_FAILED",
      /blk\.0\.attn_q\.weight is 128 x 128 here, its A is 64 x 8 and its B 4 x 128/,
    ],
    [
      "with more layers",
      (file) => {
        for (const part of ["a", "b"]) tensor(file, `${query}.lora_${part}`).name = `blk.9.attn_q.weight.lora_${part}`;
      },
      "MODEL_LOAD_FAILED",
      /there is no blk\.9\.attn_q\.weight here/,
    ],
    [
      "with half a pair",
      (file) => void (file.tensors = file.tensors.filter(({ name }) => name !== `${query}.lora_b`)),
      "MODEL_LOAD_FAILED",
      /of blk\.0\.attn_q\.weight it has only one matrix of two/,
    ],
    [
      "with whole weights besides",
      (file) => void (tensor(file, `${query}.lora_a`).name = "blk.0.attn_norm.weight"),
      "UNSUPPORTED_MODEL",
      /holds blk\.0\.attn_norm\.weight, which llama\.cpp would leave out/,
    ],
    [
      "on weights that have no LoRA",
      (file) => {
        const vector = { type: 0, offset: 0n };
        const name = "blk.0.attn_norm.weight";
        file.tensors.push({ ...vector, name: `${name}.lora_a`, dimensions: [128n, 1n], data: Buffer.alloc(512) });
        file.tensors.push({ ...vector, name: `${name}.lora_b`, dimensions: [1n, 1n], data: Buffer.alloc(4) });
      },
      "UNSUPPORTED_MODEL",
      /blk\.0\.attn_norm\.weight\.lora_[ab] out: there is no LoRA on such weights/,
    ],
    [
      "whose alpha is no number",
      (file) => void (file.entries.find(({ key }) => key.endsWith("alpha"))!.value = NaN),
      "MODEL_LOAD_FAILED",
      /alpha is no number/,
    ],
    ["without weights", (file) => void (file.tensors = []), "MODEL_LOAD_FAILED", /holds no weights/],
  ])("an adapter %s", async (_, change, code, message) => {
    writeLora(path("bad"), model, writer, change);
    const loading = EngineCore.load({ generator: { path: path("plain"), adapters: [path("bad")] }, verifier: null });
    const error = await loading.then(() => null, (reason: unknown) => reason); // prettier-ignore
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect((error as Error).message).toContain(path("bad"));
  });

  it("one for fewer experts than the model has", async () => {
    const expertise = (name: string) => ({ key: `llama.${name}`, type: 4, value: 2 });
    const tensors = model.tensors.flatMap((one) => {
      const { name, dimensions, data } = one;
      if (!/ffn_(gate|up|down)/.test(name)) return [one];
      const experts = { name: name.replace(".weight", "_exps.weight"), dimensions: [...dimensions, 2n] };
      const router = {
        name: name.replace("ffn_down", "ffn_gate_inp"),
        dimensions: [128n, 2n],
        data: Buffer.alloc(1024),
      };
      const both = { ...one, ...experts, data: Buffer.concat([data, data]) };
      return name.includes("ffn_down") ? [both, { ...one, ...router }] : [both];
    });
    const entries = [...model.entries, expertise("expert_count"), expertise("expert_used_count")];
    const mixture = { ...model, entries, tensors };
    writeFileSync(path("mixture"), serialiseGguf(mixture));
    const lora = randomLora(mixture, /attn_q/, { rank: 2, alpha: 1, seed: 5 });
    const loading = async (experts: bigint) => {
      writeLora(path("bad"), mixture, lora, (file) => {
        const vectors = (name: string, dimensions: bigint[]) => {
          const data = Buffer.alloc(4 * dimensions.reduce((product, n) => product * Number(n), 1));
          file.tensors.push({ name: `blk.0.ffn_down_exps.weight.${name}`, type: 0, offset: 0n, dimensions, data });
        };
        const [inputs, outputs] = mixture.tensors.find(({ name }) => name === "blk.0.ffn_down_exps.weight")!.dimensions;
        vectors("lora_a", [inputs!, 2n, experts]);
        vectors("lora_b", [2n, outputs!, experts]);
      });
      const generator = { path: path("mixture"), adapters: [path("bad")] };
      await using engine = await EngineCore.load({ generator, verifier: null });
      return engine.models.generator.parameters;
    };
    await expect(loading(1n)).rejects.toMatchObject({
      code: "MODEL_LOAD_FAILED",
      message: expect.stringMatching(/ffn_down_exps\.weight is \d+ x 128 x 2 here, its A is \d+ x 2 and/) as string,
    });
    expect(await loading(2n)).toBeGreaterThan(0);
  });

  it("one on embeddings that are the output too", async () => {
    const lora = randomLora(model, /token_embd/, { rank: 2, alpha: 1, seed: 4 });
    writeLora(path("bad"), model, lora);
    const loading = EngineCore.load({ generator: { path: path("plain"), adapters: [path("bad")] }, verifier: null });
    await expect(loading).rejects.toMatchObject({
      code: "MODEL_LOAD_FAILED",
      message: expect.stringMatching(/cannot be computed with .*bad\.gguf: .*ggml_can_mul_mat/) as string,
    });
  });

  it("an adapter as a model, and before it is loaded", async () => {
    const message = expect.stringMatching(/an adapter for a model, .*--verifier-lora/) as string;
    const refusal = { code: "UNSUPPORTED_MODEL", message };
    await expect(EngineCore.load({ generator: path("writer") })).rejects.toMatchObject(refusal);
    const pairs = writer.pairs.size;
    expect(await inspectModel(path("writer"))).toMatchObject({
      ...{ refusal, architecture: "llama", need: null, lora: { rank: 4, alpha: 2, tensors: pairs } },
    });
    expect((await inspectModel(path("plain"))).lora).toBeNull();
  });

  it.each([
    [{ path: "a.gguf", scale: 101 }],
    [{ path: "a.gguf", scale: -101 }],
    [""],
    [Array<string>(17).fill("a.gguf")],
  ])("the option %j", async (adapters) => {
    const generator = { path: path("plain"), adapters: [adapters].flat() };
    await expect(EngineCore.load({ generator, verifier: null })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/generator/) as string,
    });
  });
});
