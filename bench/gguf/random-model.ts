/**
 * GGUF files with random weights: any shape, any vocabulary. The speed of a model does not depend on its weights.
 *
 * Owns: which tensors a llama or qwen2 model has, how random weights are made to behave, the folder of files made.
 * Must not know: file formats, who measures what.
 *
 * Purely random weights would end solutions at random and could overflow. So the first 32 dimensions of the residual
 * stream are set apart: no layer writes there. Dimension 0 is a constant, by which the end token's logit is held so low
 * that it is never sampled: whoever asks for 64 tokens gets 64. With `stepLengths`, dimensions 1 to 31 hold the class of
 * the last token (vocabulary.ts), and the output prefers by e^30 tokens of the class below, or after a step's end those
 * that may begin one: steps are of those lengths, and as often. (That needs an output matrix of its own; it costs the
 * same as a tied one.)
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { writeGguf, type Metadata, type Tensor } from "#lib/models/gguf.js";

import { cacheFolder } from "../support/folders.js";
import type { ModelShape } from "./shapes.js";
import { beginsStep, byteTokens, classOf, tokenizerMetadata, vocabularyOf, type Vocabulary } from "./vocabulary.js";
import { constantVector, headSize, randomMatrix, type Matrix, type WeightType } from "./weights.js";

export interface RandomModelOptions {
  readonly shape: ModelShape;
  readonly type: WeightType;
  readonly seed?: number;
  /** How often it writes steps of 1 token, of 2, and so on up to 31. Default: no steps. */
  readonly stepLengths?: readonly number[];
}

/** To be raised when the same options come to mean another file. */
const recipeVersion = 1;

// What the layers write drowns the embedding: with a tied matrix the last token would else repeat itself for ever.
const embeddingSpread = 0.2;
const residualSpread = 20 * embeddingSpread;
const constantDimension = 2 * residualSpread;
const classDimension = 4 * residualSpread;
// Logits: their spread, and about how far the unwanted are pushed down.
const logitSpread = 2;
const pushedDown = 60;

/** Path of the file, which is made if it is not there: 0.5B in Q8_0 takes seconds and 530 MB. */
export async function randomModel(options: RandomModelOptions, folder = cacheFolder): Promise<string> {
  const { shape, type, seed = 1, stepLengths = [] } = options;
  const key = JSON.stringify([recipeVersion, shape, type, seed, stepLengths.length > 0 ? stepLengths : 0]);
  const hash = createHash("sha256").update(key).digest("hex").slice(0, 10);
  const path = join(folder, `random-${type}-${hash}.gguf`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const part = `${path}.${process.pid}.part`;
  try {
    await writeRandomModel(part, options);
    renameSync(part, path); // a file that exists is whole
  } finally {
    rmSync(part, { force: true });
  }
  return path;
}

/** Steps of one length only; 0: none. */
export function stepsOf(length: number): number[] {
  return Array.from({ length }, (_, i) => (i === length - 1 ? 1 : 0));
}

export async function writeRandomModel(
  path: string,
  { shape, type, seed = 1, stepLengths = [] }: RandomModelOptions,
): Promise<void> {
  if (stepLengths.length >= headSize) {
    throw new RangeError(`steps have 1 to ${headSize - 1} tokens, not ${stepLengths.length}`);
  }
  const vocabulary = vocabularyOf(shape.vocabulary, stepLengths);
  const metadata = { ...modelMetadata(shape, type), ...tokenizerMetadata(vocabulary) };
  await writeGguf(path, metadata, tensorsOf(shape, vocabulary, type, seed));
}

function modelMetadata(shape: ModelShape, type: WeightType): Metadata {
  const own = (name: string) => `${shape.architecture}.${name}`;
  return {
    "general.architecture": shape.architecture,
    "general.name": "random weights",
    "general.file_type": { uint32: type === "Q8_0" ? 7 : 1 },
    [own("context_length")]: { uint32: shape.positions },
    [own("embedding_length")]: { uint32: shape.width },
    [own("block_count")]: { uint32: shape.layers },
    [own("feed_forward_length")]: { uint32: shape.feedForward },
    [own("attention.head_count")]: { uint32: shape.heads },
    [own("attention.head_count_kv")]: { uint32: shape.kvHeads },
    [own("attention.layer_norm_rms_epsilon")]: { float32: 1e-6 },
    [own("rope.dimension_count")]: { uint32: shape.width / shape.heads },
    [own("rope.freq_base")]: { float32: 1e6 },
  };
}

function tensorsOf(shape: ModelShape, vocabulary: Vocabulary, type: WeightType, seed: number): Tensor[] {
  const { width: columns, feedForward } = shape;
  const kvWidth = (columns / shape.heads) * shape.kvHeads;
  const gain = logitSpread / (embeddingSpread * Math.sqrt(columns));
  const tensors: Tensor[] = [];
  const vector = (name: string, size: number, value: number) =>
    tensors.push({ name, type: "F32", columns: size, rows: 0, data: () => [constantVector(size, value)] });
  const matrix = (name: string, parts: Omit<Matrix, "type" | "seed">) => {
    const whole = { ...parts, type, seed: Math.imul(seed, 0x9e37_79b1) + tensors.length };
    tensors.push({ name, type, columns: parts.columns, rows: parts.rows, data: () => randomMatrix(whole) });
  };
  // Inputs are normalised, so these make outputs of spread 1, or of `out`.
  const inner = (name: string, from: number, to: number) =>
    matrix(name, { columns: from, rows: to, spread: 1 / Math.sqrt(from) });
  const out = residualSpread / Math.sqrt(2 * shape.layers);
  const toResidual = (name: string, from: number) =>
    matrix(name, {
      columns: from,
      rows: columns,
      spread: out / Math.sqrt(from),
      head: (row) => (row < headSize ? "zero" : "random"),
    });

  const hasSteps = vocabulary.stepLengths.length > 0;
  const ownOutput = !shape.tied || hasSteps;
  matrix("token_embd.weight", {
    columns,
    rows: vocabulary.size,
    spread: embeddingSpread,
    head: (token, head) => {
      // A tied matrix is the output too, and the end token is no input: only its row may differ.
      const pushed = !ownOutput && token === vocabulary.endToken;
      head[0] = pushed ? -pushedDown / gain : constantDimension;
      if (hasSteps) head[1 + classOf(token, vocabulary)] = classDimension;
      return pushed ? "zero" : "random";
    },
  });
  for (let layer = 0; layer < shape.layers; layer++) {
    const name = (part: string) => `blk.${layer}.${part}`;
    vector(name("attn_norm.weight"), columns, 1);
    for (const [part, rows] of [
      ["q", columns],
      ["k", kvWidth],
      ["v", kvWidth],
    ] as const) {
      inner(name(`attn_${part}.weight`), columns, rows);
      if (shape.architecture === "qwen2") vector(name(`attn_${part}.bias`), rows, 0);
    }
    toResidual(name("attn_output.weight"), columns);
    vector(name("ffn_norm.weight"), columns, 1);
    inner(name("ffn_gate.weight"), columns, feedForward);
    inner(name("ffn_up.weight"), columns, feedForward);
    toResidual(name("ffn_down.weight"), feedForward);
  }
  vector("output_norm.weight", columns, gain);
  if (ownOutput) {
    matrix("output.weight", {
      columns,
      rows: vocabulary.size,
      spread: embeddingSpread,
      head: (token, head) => outputHead(token, head, vocabulary, pushedDown / gain),
    });
  }
  return tensors;
}

/** Which of the dimensions set apart a token's logit looks at. */
function outputHead(token: number, head: Float64Array, vocabulary: Vocabulary, push: number): "random" | "zero" {
  const { stepLengths, endToken } = vocabulary;
  const hasSteps = stepLengths.length > 0;
  const neverSampled = token === endToken || (hasSteps && token < byteTokens);
  if (neverSampled) {
    head[0] = -push;
  } else if (hasSteps) {
    const above = classOf(token, vocabulary) + 1;
    if (above < stepLengths.length) head[1 + above] = push / 2;
    if (beginsStep(token, vocabulary)) head[1] = push / 2;
  }
  return neverSampled ? "zero" : "random";
}
