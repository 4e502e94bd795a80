/**
 * A model file, looked at before it is loaded.
 *
 * Owns: what its metadata mean; which memory a search on it takes; what will not work.
 * Must not know: engines, questions.
 */
import { availableMemory, constrainedMemory } from "node:process";

import { z } from "zod";

import { parseOptions, type ErrorCode } from "../errors.js";
import type { Device, Lora, MetadataValue, NativeInspection, SpecialToken, WeightType } from "./addon.js";
import { fileReader } from "./file-reader.js";

const tokens = z
  .number()
  .int()
  .min(1)
  .max(1 << 20);
const schema = z
  .strictObject({
    branches: tokens.max(65_536),
    promptTokens: tokens,
    lengthTokens: tokens,
    isolation: z.literal("process"),
  })
  .partial();

export interface InspectOptions {
  /** Solutions being written at once, 1 to 65,536; default 16. */
  readonly branches?: number;
  /** Of the prompt, which all branches share, 1 to 1,048,576; default 512. */
  readonly promptTokens?: number;
  /** That each branch writes, 1 to 1,048,576; default 512. */
  readonly lengthTokens?: number;
  /** Reads the file in a process of its own. Default: in this process. */
  readonly isolation?: "process" | undefined;
}

/** What a cache of one type takes, in bytes. */
export interface CacheNeed {
  /** Of one KV cell, all layers; 0: the model has no attention. */
  readonly cellBytes: number;
  /** Of one recurrent state, all layers; 0: the model has none. */
  readonly stateBytes: number;
  /** Cells and states together. */
  readonly cacheBytes: number;
  /** What a decode works in, beside weights and cache. */
  readonly bufferBytes: number;
  /** Weights, cache and buffers together. */
  readonly totalBytes: number;
}

export interface ModelInspection {
  readonly path: string;
  readonly name: string | null;
  readonly architecture: string;
  readonly parameters: number;
  /** Of all parts of a split model. */
  readonly fileBytes: number;
  /** The type of most of the weights, as ggml names it: f16, q8_0, q4_K, ... */
  readonly quantisation: string;
  readonly weights: readonly WeightType[];
  /** Not null: the file is an adapter, to be named among a model's `adapters`; `architecture` is that model's. */
  readonly lora: Lora | null;
  /** Tokens that it was trained on at once. */
  readonly contextTokens: number | null;
  readonly layers: number | null;
  readonly width: number | null;
  /** Query heads, the most of any layer. */
  readonly heads: number | null;
  /** Heads of keys and values: fewer than `heads` where several queries share one (GQA). */
  readonly kvHeads: number | null;
  readonly headSize: number | null;
  /** Tokens of a sliding window that some layers see. */
  readonly slidingWindow: number | null;
  readonly experts: { readonly count: number; readonly used: number } | null;
  readonly vocabulary: {
    /** As GGUF names its kind: gpt2 (BPE), llama (SentencePiece), rwkv, ... */
    readonly kind: string | null;
    /** How text is cut before, where it is. */
    readonly preTokenizer: string | null;
    readonly size: number;
    readonly specialTokens: readonly SpecialToken[];
  };
  /** `renders`: llama.cpp knows it. */
  readonly chatTemplate: { readonly text: string; readonly renders: boolean } | null;
  /** The file's `thinktree.*` texts that the engine goes by, without the prefix. */
  readonly recipe: Readonly<Record<string, string>>;
  /** Branches are computed against their own paths alone; else llama.cpp's own attention computes each against all. */
  readonly treeAttention: boolean;
  readonly need: {
    readonly branches: number;
    readonly promptTokens: number;
    readonly lengthTokens: number;
    /**
     * KV cells: the prompt's tokens once, and each branch's. Of a model with states, 256 for each branch and for where they
     * part, if that is more.
     */
    readonly cells: number;
    /** Recurrent states: one for every 256 cells, at most 256; 0: the model has none. */
    readonly states: number;
    readonly weightBytes: number;
    readonly f16: CacheNeed;
    /** Null where heads are no multiple of 32 numbers: then the engine refuses it as well. */
    readonly q8_0: CacheNeed | null;
  } | null;
  readonly devices: readonly Device[];
  /** Why `Engine.load` would refuse it. */
  readonly refusal: { readonly code: ErrorCode; readonly message: string } | null;
  /** What else will not work, or not well. */
  readonly warnings: readonly string[];
}

/**
 * Reads what a GGUF file says of itself, without its weights; it may be hostile.
 * @throws {ThinkTreeError} INVALID_OPTION; MODEL_LOAD_FAILED: not a GGUF file, or a damaged one;
 * ENGINE_CRASHED: the process of its own ended over it. A file that is whole and cannot be loaded has a `refusal` instead.
 */
export async function inspectModel(path: string, options: InspectOptions = {}): Promise<ModelInspection> {
  const { branches = 16, promptTokens = 512, lengthTokens = 512, isolation } = parseOptions(schema, options);
  const cells = cellsFor(promptTokens + branches * lengthTokens);
  const { inspect } = fileReader(isolation);
  const found = await inspect(path, Math.min(cells, mostCells), branches);
  const file = new Metadata(found.metadata);
  const inspection = {
    path,
    name: file.text("general.name"),
    architecture: file.architecture,
    parameters: found.weights.reduce((sum, { parameters }) => sum + parameters, 0),
    fileBytes: found.bytes,
    quantisation: mostOf(found.weights),
    weights: found.weights,
    lora: found.lora ?? null,
    ...shapeOf(file),
    vocabulary: {
      kind: file.text("tokenizer.ggml.model"),
      preTokenizer: file.text("tokenizer.ggml.pre"),
      size: file.length("tokenizer.ggml.tokens"),
      specialTokens: found.specialTokens,
    },
    chatTemplate: templateOf(file, found),
    recipe: recipeRecognised(file),
    treeAttention: found.treeAttention,
    need: needOf(found, { branches, promptTokens, lengthTokens, cells }),
    devices: found.devices.map(asThisProcessSeesIt),
    refusal: found.refusal ?? null,
  };
  return { ...inspection, warnings: inspection.refusal === null ? warningsOf(inspection) : [] };
}

/** llama.cpp rounds up to them. */
const cellsUnit = 256;
const mostCells = 1 << 20;

function cellsFor(tokens: number): number {
  return Math.ceil(tokens / cellsUnit) * cellsUnit;
}

/** The texts that bindings/load.cpp reads. */
const recipeKeys = [
  ...["prompt_template", "step_delimiter", "answer_prefix", "role", "reviser.attempt_separator"],
  ...["reviser.max_attempts", "verifier.aggregation", "verifier.reading", "verifier.tag", "verifier.positive"],
  "verifier.negative",
];

/** What the engine makes of a file's own account of how it is asked and read. */
function recipeRecognised(file: Metadata): Record<string, string> {
  const entries = recipeKeys.map((key) => [key, file.text(`thinktree.${key}`)] as const);
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, string] => entry[1] !== null));
}

function mostOf(weights: readonly WeightType[]): string {
  return weights.reduce(
    (most, type) => (type.bytes > most.bytes ? type : most),
    weights[0] ?? { type: "none", bytes: 0 },
  ).type;
}

function shapeOf(file: Metadata) {
  const [heads, width] = [file.most(".attention.head_count"), file.most(".embedding_length")];
  const window = file.most(".attention.sliding_window");
  const experts = file.most(".expert_count") ?? 0;
  return {
    contextTokens: file.most(".context_length"),
    layers: file.most(".block_count"),
    width,
    heads,
    kvHeads: file.most(".attention.head_count_kv") ?? heads,
    headSize: file.most(".attention.key_length") ?? (heads && width ? Math.floor(width / heads) : null),
    slidingWindow: window === 0 ? null : window,
    experts: experts > 0 ? { count: experts, used: file.most(".expert_used_count") ?? 0 } : null,
  };
}

function templateOf(file: Metadata, { templateRenders }: NativeInspection): ModelInspection["chatTemplate"] {
  const text = file.text("tokenizer.chat_template");
  return text === null ? null : { text, renders: templateRenders };
}

type Work = Pick<NonNullable<ModelInspection["need"]>, "branches" | "promptTokens" | "lengthTokens" | "cells">;

function needOf({ f16, q8_0, weightBytes, ...found }: NativeInspection, work: Work): ModelInspection["need"] {
  if (f16 === undefined || weightBytes === undefined) return null;
  const [cells, states] = [Math.max(work.cells, found.cells), found.states];
  const needWith = ({ cellBytes, stateBytes, bufferBytes }: typeof f16): CacheNeed => {
    const cacheBytes = cellBytes * cells + stateBytes * states;
    return { cellBytes, stateBytes, cacheBytes, bufferBytes, totalBytes: weightBytes + cacheBytes + bufferBytes };
  };
  const caches = { f16: needWith(f16), q8_0: q8_0 === undefined ? null : needWith(q8_0) };
  return { ...work, cells, states, weightBytes, ...caches };
}

/** What a container or a control group leaves of the machine's memory. */
function asThisProcessSeesIt(device: Device): Device {
  if (device.gpu) return device;
  const limit = constrainedMemory();
  const bytes = limit > 0 ? Math.min(limit, device.bytes) : device.bytes;
  return { ...device, bytes, freeBytes: Math.min(bytes, availableMemory()) };
}

function warningsOf(model: Omit<ModelInspection, "warnings">): string[] {
  const { need, contextTokens, vocabulary, recipe, chatTemplate } = model;
  const warnings: string[] = [];
  const warn = (holds: boolean, warning: string) => void (holds && warnings.push(warning));
  if (need !== null) {
    const path = need.promptTokens + need.lengthTokens;
    warn(
      contextTokens !== null && path > contextTokens,
      `the context is too short: a prompt and a solution of ${path} tokens, trained on ${contextTokens}`,
    );
    warn(need.cells > mostCells, `${need.cells} KV cells are more than one cache may have (${mostCells})`);
    warn(
      need.states > 0 && need.branches > need.states,
      `${need.branches} branches have ${need.states} states among them: much will be computed again`,
    );
    warn(need.q8_0 === null, "no 8-bit cache (kvType q8_0): its heads are no multiple of 32 numbers");
    const [name, free] = memoryFor(model.devices);
    const least = Math.min(need.f16.totalBytes, need.q8_0?.totalBytes ?? Infinity);
    warn(least > free, `not enough memory: ${mib(least)} MiB at least, ${mib(free)} MiB are free (${name})`);
  }
  warn(
    !model.treeAttention && need?.f16.cellBytes !== 0 && !model.devices.some(({ gpu }) => gpu),
    "llama.cpp's own attention: slow with many branches",
  );
  warn(!vocabulary.specialTokens.some(({ name }) => name === "eos" || name === "eot"), "it names no end token");
  warn(
    recipe["prompt_template"] === undefined,
    `no recipe of its own: questions are put as plain completion${chatTemplate ? ", not by its chat template" : ""}`,
  );
  return warnings;
}

/** Where the weights and the caches go: the GPUs, if there are any. */
function memoryFor(devices: readonly Device[]): [name: string, freeBytes: number] {
  const gpus = devices.filter(({ gpu }) => gpu);
  const used = gpus.length > 0 ? gpus : devices;
  return [used.map(({ name }) => name).join(", "), used.reduce((sum, { freeBytes }) => sum + freeBytes, 0)];
}

function mib(bytes: number): string {
  return Math.ceil(bytes / 2 ** 20).toLocaleString("en-US");
}

/** A file's key-value pairs. A key that begins with a dot is its architecture's. */
class Metadata {
  private readonly values: ReadonlyMap<string, MetadataValue>;
  readonly architecture: string;

  constructor(pairs: NativeInspection["metadata"]) {
    this.values = new Map(pairs);
    this.architecture = this.text("general.architecture") ?? "";
  }

  private get(key: string): MetadataValue | undefined {
    return this.values.get(key.startsWith(".") ? this.architecture + key : key);
  }

  text(key: string): string | null {
    const value = this.get(key);
    return typeof value === "string" ? value : null;
  }

  /** The value, or the largest of a list with one for each layer. */
  most(key: string): number | null {
    const value = this.get(key);
    if (typeof value === "number") return value;
    if (typeof value !== "object" || value.values === undefined || value.values.length === 0) return null;
    return Math.max(...value.values);
  }

  length(key: string): number {
    const value = this.get(key);
    return typeof value === "object" ? value.length : 0;
  }
}
