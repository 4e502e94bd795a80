/**
 * The native addon, typed by hand.
 *
 * Owns: the shape of what crosses. bindings/ is the other end.
 * Must not know: batching, trees. Only lib/engine loads the addon.
 */
import { ThinkTreeError, type ErrorCode } from "../errors.js";
import { binary, loadAddon } from "./binary.js";
import type { FinishReason } from "./search-tree.js";

/** What a search has cost: tokens, KV cells, milliseconds, floating-point operations. Exact, but for milliseconds. */
export interface Ledger {
  /** Of the prompt and of contexts, prefilled by the generator, once. */
  readonly promptTokens: number;
  /** Written by the generator, end tokens included. What several branches write alike from one place counts once. */
  readonly generatedTokens: number;
  /** Saved by that: as many more would have been generated if every branch had written for itself. */
  readonly coalescedTokens: number;
  readonly verifierPromptTokens: number;
  /** Step tokens and tags that the verifier decoded, each once. Of a judge, what it wrote; what it was told is its prompt. */
  readonly verifierTokens: number;
  /** Of the prompt and of steps, decoded by the verifier's reference model (an implicit PRM's), each once. */
  readonly referenceTokens: number;
  /** Decoded again by any of these models after its KV cells had to be given up. */
  readonly recomputedTokens: number;
  /** Cells of the generator's KV cache, at peak. */
  readonly kvCellsPeak: number;
  readonly verifierKvCellsPeak: number;
  /** Distinct live tokens of the generator's tree at peak, the prompt's included. */
  readonly treeTokensPeak: number;
  /** Decoded by the generator before it was known whether a branch would have them: a draft's guesses, and text ahead. */
  readonly speculatedTokens: number;
  /** Those of them that a branch has. The others were decoded in vain, and are in `flops` and `kvCellsPeak` besides. */
  readonly speculatedKept: number;
  /** Decoded by the draft model, its reading of the prompt included. */
  readonly draftTokens: number;
  readonly milliseconds: number;
  /** 2 x parameters x decoded tokens, all models, wrong guesses included (Snell et al. 2024, sec. 7). */
  readonly flops: number;
}

/** Where the engine's time has gone since it was loaded, and what it holds now. */
export interface EngineStats {
  readonly prefillMs: number;
  /** Reading the logits included. */
  readonly decodeMs: number;
  /** What branches do with the tokens that they have drawn. */
  readonly sampleMs: number;
  /** Forking, leasing, parking, filling batches. */
  readonly planMs: number;
  /** Of the verifier and its reference model. */
  readonly verifyMs: number;
  /** The draft model's guessing. */
  readonly draftMs: number;
  readonly idleMs: number;
  readonly decodes: number;
  readonly decodedTokens: number;
  readonly verifierDecodes: number;
  readonly verifierTokens: number;
  readonly referenceDecodes: number;
  readonly referenceTokens: number;
  readonly draftDecodes: number;
  readonly draftTokens: number;
  readonly kvCells: number;
  readonly verifierKvCells: number;
  readonly referenceKvCells: number;
  readonly draftKvCells: number;
  readonly leases: number;
  readonly searches: number;
  /** Models (0 to 3; the draft is not counted) whose branches are computed against their own paths alone; others take llama.cpp's own attention. */
  readonly treeAttention: number;
  /** Models (0 to 3) whose logits were last read on the GPU that computed them; those of others are read on the CPU. */
  readonly deviceSampling: number;
  readonly branches: number;
  /** Signs of life: grows while the engine works. */
  readonly progress: number;
}

export interface NativeStep {
  readonly text: string;
  readonly tokens: number;
  readonly logProbability: number;
  /** Its tokens, whether they say more than its text, and whether it was known to be the last: told where the engine is `restorable`. */
  readonly ids?: Int32Array;
  readonly cut?: boolean;
  readonly last?: boolean;
}

export interface NativeFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Of an engine in a process of its own: the end of what that printed. */
  readonly cause?: unknown;
}

/** The answer to one request; `code` only if it failed, and then nothing else. */
export interface NativeCompletion extends Partial<NativeFailure> {
  readonly request: number;
  readonly reason: FinishReason;
  readonly steps: readonly NativeStep[];
  /** NaN: unscored. */
  readonly scores: readonly number[];
  /** The generator's hidden state at the prompt's last token. */
  readonly hidden?: Float32Array;
  /** Of a request for it; where the engine is `restorable`, also with a search's last answer of a turn. */
  readonly ledger?: Ledger;
}

/**
 * What is known of a loaded model; vocabulary, cells, width and bytes are 0 of one on a server. `recipe` holds the GGUF's
 * `thinktree.*` strings, without the prefix.
 */
export interface ModelInfo {
  /** Its adapters' included; 0: a server does not tell. */
  readonly parameters: number;
  readonly vocabulary: number;
  /** Longest prompt and solution together, in tokens. */
  readonly positions: number;
  /** Of its KV cache. */
  readonly kvCells: number;
  /** Floats of one hidden state; 0: there are none to be had, for the model is on a server. */
  readonly width: number;
  /**
   * Memory that its weights and adapters have taken, in bytes. Where generator, verifier or draft are one file, its weights
   * count with the first of them.
   */
  readonly weightBytes: number;
  /** How a verifier's scores are read. */
  readonly reading?: "likelihood" | "ratio" | "pair" | "head" | "judge";
  readonly recipe: Readonly<Record<string, string>>;
}

export interface LoadedModels {
  readonly generator: ModelInfo;
  readonly verifier?: ModelInfo;
  /** The one that an implicit PRM is compared with. */
  readonly reference?: ModelInfo;
  readonly draft?: ModelInfo;
}

export type NativeEvent =
  | [kind: "loaded", models: LoadedModels]
  | [kind: "failed", error: NativeFailure]
  | [kind: "completed", completions: readonly NativeCompletion[]];

export interface NativeEngine {
  submit(numbers: Float64Array, strings: readonly string[]): void;
  stats(): EngineStats;
  close(): Promise<void>;
  ref(): void;
  unref(): void;
}

/** What a model file says of itself, and llama.cpp of it. Numbers are bytes where they are called so. */
export interface NativeInspection {
  /** The file's, and those of the other parts of a split model. */
  readonly bytes: number;
  /** Lists of more than 1,024 values cross as their length. */
  readonly metadata: readonly (readonly [key: string, value: MetadataValue])[];
  readonly weights: readonly WeightType[];
  /** Then it is no model. `rank`: the highest; `tensors`: of the model, that it changes. */
  readonly lora?: Lora;
  readonly specialTokens: readonly SpecialToken[];
  readonly templateRenders: boolean;
  readonly devices: readonly Device[];
  readonly refusal?: { readonly code: ErrorCode; readonly message: string };
  readonly treeAttention: boolean;
  /** With which the caches and buffers were measured: as many as were asked for, or more, that there be states enough. */
  readonly cells: number;
  /** That so many cells come with; 0: the model has none. */
  readonly states: number;
  readonly weightBytes?: number;
  readonly f16?: NativeCache;
  readonly q8_0?: NativeCache;
}

export type MetadataValue =
  string | number | boolean | { readonly length: number; readonly values?: readonly number[] };

export interface Lora {
  readonly rank: number;
  /** 0: changes are not scaled by alpha / rank. */
  readonly alpha: number;
  readonly tensors: number;
}

/** The weights of one type of numbers. */
export interface WeightType {
  readonly type: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

export interface SpecialToken {
  /** bos, eos, eot, padding, ...: as the file's `tokenizer.ggml.*_token_id` has it. */
  readonly name: string;
  readonly id: number;
  /** Empty if the vocabulary has no such token. */
  readonly text: string;
}

export interface Device {
  readonly name: string;
  readonly description: string;
  readonly gpu: boolean;
  readonly bytes: number;
  readonly freeBytes: number;
}

interface NativeCache {
  /** Of one KV cell, all layers; 0: there is no attention. */
  readonly cellBytes: number;
  /** Of one recurrent state, all layers; 0: there is none. */
  readonly stateBytes: number;
  readonly bufferBytes: number;
}

interface Addon {
  /** The texts among a GGUF's metadata, and those of the tokens that it names by id; none if it is no GGUF file. */
  readonly metadata: (path: string) => Promise<[key: string, text: string][]>;
  readonly inspect: (path: string, cells: number, branches: number) => Promise<NativeInspection>;
  readonly Engine: new (options: object, onEvent: (...event: NativeEvent) => void) => NativeEngine;
  readonly convertWeights: (bytes: Uint8Array, from: number, to: number, columns: number) => Promise<Uint8Array>;
}

let addon: Addon | undefined;

/** @throws {ThinkTreeError} NO_BINARY, INVALID_OPTION: see `binary` */
function load(): Addon {
  return (addon ??= loadAddon<Addon>(binary().file));
}

/** @throws {ThinkTreeError} NO_BINARY, INVALID_OPTION */
export function createNativeEngine(options: object, onEvent: (...event: NativeEvent) => void): NativeEngine {
  return new (load().Engine)(options, onEvent);
}

/**
 * Weights in another number format; see native/backend/llama/weights.h. Rejects with an Error that says what does not fit.
 * @throws {ThinkTreeError} NO_BINARY, INVALID_OPTION
 */
export function convertWeights(bytes: Uint8Array, from: number, to: number, columns: number): Promise<Uint8Array> {
  return load().convertWeights(bytes, from, to, columns);
}

/**
 * The texts among a GGUF's metadata, read without its weights, and of its special tokens (`tokenizer.ggml.bos_token_id`):
 * their texts; none if it is no GGUF file.
 */
export async function metadataTexts(path: string): Promise<ReadonlyMap<string, string>> {
  return new Map(await load().metadata(path));
}

/** @throws {ThinkTreeError} MODEL_LOAD_FAILED: no GGUF file; NO_BINARY */
export async function inspectNatively(path: string, cells: number, branches: number): Promise<NativeInspection> {
  try {
    return await load().inspect(path, cells, branches);
  } catch (error) {
    if (ThinkTreeError.isInstance(error)) throw error;
    const { code, message } = error as { code: ErrorCode; message: string };
    throw new ThinkTreeError(code, `cannot read the model ${path}: ${message}`);
  }
}
