/**
 * Broken and hostile GGUF files: each loads or gives a typed error, and the process lives.
 *
 * THINKTREE_HOSTILE_FILES: how many; THINKTREE_HOSTILE_SEED: the seed of the first, to see one again.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { shapes } from "../../bench/gguf/shapes.js";
import { writeRandomModel } from "../../bench/gguf/random-model.js";
import {
  arrayType,
  parseGguf,
  serialiseGguf,
  stringType,
  type Entry,
  type GgufFile,
  type Scalar,
} from "../support/gguf-file.js";
import { mutate } from "../support/gguf-mutation.js";
import { ModelLoader } from "../support/model-loader.js";
import { embeddedModels } from "../support/models.js";
import { buildModelMaker, writeSpecialModels } from "../support/random-models.js";

const files = Number(process.env["THINKTREE_HOSTILE_FILES"] ?? 1000);
const firstSeed = Number(process.env["THINKTREE_HOSTILE_SEED"] ?? 1);
/** Milliseconds; a machine at rest takes a hundredth of it. */
const longest = 3_600_000;
/** Far more than a tiny model takes, far less than a hostile one would. */
const mostMib = 1024;

const folder = mkdtempSync(join(tmpdir(), "thinktree-hostile-"));
afterAll(() => rmSync(folder, { recursive: true }));
const hostile = join(folder, "hostile.gguf");

const shape = { ...shapes.tiny, vocabulary: 512 };
const random = join(folder, "random.gguf");
beforeAll(() => writeRandomModel(random, { shape, type: "Q8_0" }));

const hybrids = ["lfm2", "granitehybrid", "qwen3next", "kimi-linear"];
let hybridFolder: string;
beforeAll(() => {
  buildModelMaker();
  hybridFolder = writeSpecialModels(hybrids);
});
afterAll(() => rmSync(hybridFolder, { recursive: true }));

let loader: ModelLoader;
beforeEach(() => void (loader = new ModelLoader()));
afterEach(() => loader.close());

const models = embeddedModels();

describe.skipIf(models === undefined)("mutated files", () => {
  it(`load or give a typed error: ${files} of them`, { timeout: longest }, async () => {
    const paths = [models!.generator, models!.verifier, random];
    paths.push(...hybrids.map((name) => join(hybridFolder, `${name}.gguf`)));
    const originals = paths.map((path) => readFileSync(path));
    const outcomes = new Map<string, number>();
    const bad: string[] = [];
    let most = 0;
    for (let seed = firstSeed; seed < firstSeed + files; seed++) {
      const { bytes, what } = mutate(originals[seed % originals.length]!, seed);
      writeFileSync(hostile, bytes);
      const { outcome, message, loaded = false, inspection, residentMib = 0 } = await loader.load(hostile);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      most = Math.max(most, residentMib);
      // What an inspection refuses does not load, and for the same reason.
      const disagree = inspection !== "loads" && (outcome !== inspection || loaded);
      if (!typed.has(outcome) || disagree) bad.push(`seed ${seed}, ${what}: ${inspection}, ${outcome}, ${message}`);
      if (outcome.startsWith("died")) loader = new ModelLoader();
    }
    expect(bad).toEqual([]);
    expect(most).toBeLessThan(mostMib);
    // Else it has been shown nothing but what any reader refuses.
    expect(outcomes.get("wrote")).toBeGreaterThan(files / 10);
    expect(outcomes.get("MODEL_LOAD_FAILED")).toBeGreaterThan(files / 10);
  });
});

const typed: ReadonlySet<string> = new Set([
  ...["wrote", "MODEL_LOAD_FAILED", "UNSUPPORTED_MODEL"],
  ...["BAD_LOGITS", "CONTEXT_EXCEEDED", "DECODE_FAILED"],
]);

/** Each stands for a class of what used to end the process inside llama.cpp. */
describe("a file", () => {
  const uint32 = (value: number) => ({ type: 4, value });
  const text = (value: string) => ({ type: stringType, value });
  const set = (changes: Readonly<Record<string, Omit<Entry, "key"> | null>>) => (file: GgufFile) => {
    file.entries = file.entries.filter(({ key }) => !(key in changes));
    for (const [key, value] of Object.entries(changes)) if (value !== null) file.entries.push({ key, ...value });
  };
  const tensor = (file: GgufFile, name: string) => file.tensors.find((one) => one.name === name)!;
  const tokens = (change: (tokens: Scalar[]) => void) => (file: GgufFile) =>
    change(file.entries.find(({ key }) => key === "tokenizer.ggml.tokens")!.value as Scalar[]);

  it.each<[string, (file: GgufFile) => void, string, RegExp]>([
    [
      "that divides by no heads",
      set({ "qwen2.attention.head_count": uint32(0) }),
      "MODEL_LOAD_FAILED",
      /head_count is 0/,
    ],
    [
      "that leaves the heads out",
      set({ "qwen2.attention.head_count": null }),
      "MODEL_LOAD_FAILED",
      /head_count is missing/,
    ],
    [
      "that asserts",
      set({ "qwen2.expert_count": uint32(8) }),
      "MODEL_LOAD_FAILED",
      /GGML_ASSERT\(n_expert_used_max > 0\)/,
    ],
    [
      "that asserts in its graph",
      set({ "qwen2.rope.dimension_count": uint32(6) }),
      "MODEL_LOAD_FAILED",
      /cannot be computed: .*n_rot/,
    ],
    [
      "that asserts as it is computed",
      (file) => Object.assign(tensor(file, "blk.0.attn_norm.weight"), { type: 2, data: Buffer.alloc(36) }),
      "MODEL_LOAD_FAILED",
      /cannot be computed: .*unsupported types/,
    ],
    [
      "with weights that cannot be multiplied",
      (file) => Object.assign(tensor(file, "blk.0.attn_q.weight"), { type: 24, data: Buffer.alloc(64 * 64) }),
      "MODEL_LOAD_FAILED",
      /blk\.0\.attn_q\.weight is of type i8/,
    ],
    [
      "without elements",
      (file) => Object.assign(tensor(file, "output_norm.weight"), { dimensions: [0n] }),
      "MODEL_LOAD_FAILED",
      /output_norm\.weight is empty/,
    ],
    ["without tensors that its graph reads", withoutAttention, "MODEL_LOAD_FAILED", /cannot be computed: .*NULL/],
    [
      "with a cache larger than any memory",
      set({
        "qwen2.block_count": uint32(512),
        "qwen2.attention.head_count_kv": uint32(65_535),
        "qwen2.attention.key_length": uint32(65_535),
      }),
      "MODEL_LOAD_FAILED",
      /smallest KV cache takes \d+ GiB, all memory is \d+ GiB/,
    ],
    [
      "with a token that is read by recursion",
      (file) => {
        set({ "tokenizer.ggml.model": text("rwkv") })(file);
        tokens((all) => (all[300] = "x".repeat(1_000_000)))(file);
      },
      "MODEL_LOAD_FAILED",
      /token 300 is longer than 4096 bytes/,
    ],
    [
      "with more names than could be compared",
      (file) => void (file.claimedEntries = 1_000_000n),
      "MODEL_LOAD_FAILED",
      /header speaks of .* 1000000 entries/,
    ],
    [
      "whose other parts are none",
      set({ "split.count": { type: 2, value: 2 }, "split.no": { type: 2, value: 0 } }),
      "MODEL_LOAD_FAILED",
      /invalid split file name/,
    ],
    [
      "with weights that are no numbers",
      (file) => void (tensor(file, "output_norm.weight").data = Buffer.alloc(256, 0xff)),
      "BAD_LOGITS",
      /not finite/,
    ],
    [
      "whose vocabulary lacks bytes",
      (file) => {
        set({
          "tokenizer.ggml.model": text("llama"),
          "tokenizer.ggml.scores": { type: arrayType, element: 6, value: Array<number>(512).fill(0) },
        })(file);
      },
      "UNSUPPORTED_MODEL",
      /vocabulary cannot write this text/,
    ],
  ])("%s ends in a typed error", async (_, change, outcome, message) => {
    const file = parseGguf(readFileSync(random));
    change(file);
    writeFileSync(hostile, serialiseGguf(file));
    expect(await loader.load(hostile, "\u0001 é")).toMatchObject({
      outcome,
      message: expect.stringMatching(message) as string,
    });
    expect(await loader.load(random)).toMatchObject({ outcome: "wrote", inspection: "loads" });
  });

  /** Phi-3 has either one tensor for queries, keys and values or three. */
  function withoutAttention(file: GgufFile): void {
    for (const entry of file.entries) {
      if (entry.key === "general.architecture") entry.value = "phi3";
      entry.key = entry.key.replace(/^qwen2\./, "phi3.");
    }
    file.tensors = file.tensors.filter(({ name }) => !/attn_[qkv]\.|ffn_gate/.test(name));
    for (const up of file.tensors.filter(({ name }) => name.endsWith("ffn_up.weight"))) {
      up.dimensions = [up.dimensions[0]!, 2n * up.dimensions[1]!];
      up.data = Buffer.concat([up.data, up.data]);
    }
  }

  it.runIf(process.platform !== "win32")("that is a pipe or a folder is not waited for", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    mkdirSync(join(folder, "folder.gguf"));
    for (const path of [pipe, join(folder, "folder.gguf")]) {
      expect(await loader.load(path)).toMatchObject({
        outcome: "MODEL_LOAD_FAILED",
        inspection: "MODEL_LOAD_FAILED",
        message: expect.stringContaining("not a regular file") as string,
      });
    }
  });
});
