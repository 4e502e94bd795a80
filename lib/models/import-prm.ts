/**
 * A Hugging Face checkpoint of a process reward model as GGUF: the backbone, and beside it its head if it has one.
 *
 * Owns: the order of work. Must not know: terminals, searches.
 */
import { basename } from "node:path";

import type { WeightFormat } from "../engine/weights.js";
import { backboneOf } from "./backbone.js";
import { Checkpoint } from "./checkpoint.js";
import type { Metadata, Tensor } from "./gguf.js";
import { hasHead, kindOf, recipeKey, type RecipeName } from "./heads.js";
import { configMetadata, modelConfig, shapeOf } from "./model-config.js";
import { readTokenizer } from "./tokenizer-files.js";
import { vocabularyMetadata } from "./vocabulary.js";
import { tensorOf, type Watcher } from "./weight-stream.js";
import { filesOf, headContents, headParts, writeWithHead } from "./with-head.js";

export interface ImportOptions {
  /** NAME, or NAME.gguf: the backbone goes to NAME.gguf, a head to NAME.head.gguf. What is there is replaced. */
  readonly out: string;
  /** Of the backbone's matrices; vectors and the head stay in full precision. Default F16. */
  readonly type?: WeightFormat | undefined;
  /** How it is asked; default: as the checkpoint's head tells. A plain language model needs one. */
  readonly recipe?: RecipeName | undefined;
  /** Ends the import; nothing of it is left. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the checkpoint's weights, after each piece. */
  readonly onProgress?: ((bytes: { readonly done: number; readonly total: number }) => void) | undefined;
}

export interface Imported {
  readonly recipe: RecipeName;
  readonly backbone: string;
  /** Undefined: the recipe reads the language model's own logits. */
  readonly head: string | undefined;
}

/** What llama.cpp calls files whose matrices are mostly of a format. */
const fileTypes = {
  ...{ F32: 0, F16: 1, BF16: 32, Q8_0: 7, Q6_K: 18, Q5_K: 16, Q4_K: 14, Q4_0: 2 },
} as const satisfies Record<WeightFormat, number>;

/**
 * Reads the weights a piece at a time: a model may be larger than the memory.
 * @throws {ThinkTreeError} MODEL_LOAD_FAILED: a broken checkpoint; UNSUPPORTED_MODEL: one of another kind; INVALID_OPTION
 */
export async function importPrm(folder: string, options: ImportOptions): Promise<Imported> {
  await using checkpoint = await Checkpoint.open(folder);
  const { type = "F16", signal, onProgress } = options;
  const config = await checkpoint.json("config.json", modelConfig);
  const backbone = backboneOf(config, checkpoint.tensors, !hasHead(checkpoint.tensors));
  const { recipe, head } = kindOf(config.architectures, backbone.rest, shapeOf(config).width, options.recipe);
  const metadata: Metadata = {
    "general.architecture": shapeOf(config).architecture,
    "general.name": basename(folder),
    "general.file_type": { uint32: fileTypes[type] },
    ...configMetadata(config),
    ...vocabularyMetadata(await readTokenizer(checkpoint), config, backbone.vocabulary),
    [recipeKey]: recipe,
  };

  const parts = head === undefined ? [] : headParts(head);
  let done = 0;
  const total = [...backbone.parts, ...parts].reduce((sum, { source }) => sum + source.bytes, 0);
  const watcher: Watcher = { signal, onBytes: (bytes) => onProgress?.({ done: (done += bytes), total }) };
  const tensors = backbone.parts.map((part) => tensorOf(part, type, watcher));
  if (backbone.ropeFactors !== undefined) tensors.push(ropeTensor(backbone.ropeFactors));
  const ofHead = parts.map((part) => tensorOf(part, "F32", watcher));
  await writeWithHead(options.out, { metadata, tensors }, head && headContents(recipe, ofHead));
  const files = filesOf(options.out);
  return { recipe, backbone: files.model, head: head && files.head };
}

function ropeTensor(factors: Float32Array): Tensor {
  const bytes = new Uint8Array(factors.buffer, factors.byteOffset, factors.byteLength);
  return { name: "rope_freqs.weight", type: "F32", columns: factors.length, rows: 0, data: () => [bytes] };
}
