/**
 * config.json: what a checkpoint says of its model.
 *
 * Owns: the settings of the Qwen2, Llama and Mistral families, and their names in GGUF.
 * Must not know: tensors, tokens.
 */
import { z } from "zod";

import { ThinkTreeError } from "../errors.js";
import type { Metadata } from "./gguf.js";

const count = z.number().int().positive();
const tokens = z.union([z.number().int(), z.array(z.number().int())]).nullish();

const rope = z.looseObject({
  rope_type: z.string().optional(),
  /** Of older checkpoints, for rope_type. */
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: z.number().positive().optional(),
});

export const modelConfig = z.looseObject({
  architectures: z.array(z.string()).default([]),
  model_type: z.string(),
  hidden_size: count,
  num_hidden_layers: count.max(4096),
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  intermediate_size: count,
  max_position_embeddings: count,
  rms_norm_eps: z.number().positive(),
  hidden_act: z.string().default("silu"),
  rope_theta: z.number().positive().optional(),
  rope_scaling: rope.nullish(),
  /** Of newer checkpoints, for both of these. */
  rope_parameters: rope.nullish(),
  tie_word_embeddings: z.boolean().default(false),
  sliding_window: count.nullish(),
  use_sliding_window: z.boolean().optional(),
  bos_token_id: tokens,
  eos_token_id: tokens,
});

export type ModelConfig = z.infer<typeof modelConfig>;

/** llama.cpp's names; Mistral's models are of Llama's architecture. */
const architectures = new Map([
  ["qwen2", "qwen2"],
  ["llama", "llama"],
  ["mistral", "llama"],
] as const);

const usualTheta = 10_000;

export interface Shape {
  readonly architecture: "qwen2" | "llama";
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
}

/** @throws {ThinkTreeError} UNSUPPORTED_MODEL: another family, or a variant of one that llama.cpp would compute wrongly */
export function shapeOf(config: ModelConfig): Shape {
  const architecture = architectures.get(config.model_type as never);
  if (architecture === undefined) {
    throw unsupported(`model_type ${config.model_type}; known are ${[...architectures.keys()].join(", ")}`);
  }
  if (config.hidden_act !== "silu") throw unsupported(`hidden_act ${config.hidden_act}; these models have silu`);
  const { hidden_size: width, num_attention_heads: heads } = config;
  const kvHeads = config.num_key_value_heads ?? heads;
  const headSize = config.head_dim ?? width / heads;
  if (!Number.isInteger(headSize) || headSize % 2 !== 0 || heads % kvHeads !== 0) {
    throw unsupported(`${heads} heads, ${kvHeads} of them with keys, for a width of ${width}`);
  }
  const { num_hidden_layers: layers, intermediate_size: feedForward } = config;
  return { architecture, layers, width, feedForward, heads, kvHeads, headSize };
}

/** @throws {ThinkTreeError} UNSUPPORTED_MODEL */
export function configMetadata(config: ModelConfig): Metadata {
  const { architecture, layers, width, feedForward, heads, kvHeads, headSize } = shapeOf(config);
  const own = (name: string) => `${architecture}.${name}`;
  const { type, factor } = ropeOf(config);
  return {
    [own("context_length")]: { uint32: positionsOf(config) },
    [own("embedding_length")]: { uint32: width },
    [own("block_count")]: { uint32: layers },
    [own("feed_forward_length")]: { uint32: feedForward },
    [own("attention.head_count")]: { uint32: heads },
    [own("attention.head_count_kv")]: { uint32: kvHeads },
    [own("attention.key_length")]: { uint32: headSize },
    [own("attention.value_length")]: { uint32: headSize },
    [own("attention.layer_norm_rms_epsilon")]: { float32: config.rms_norm_eps },
    [own("rope.dimension_count")]: { uint32: headSize },
    [own("rope.freq_base")]: { float32: thetaOf(config) },
    ...(type === "linear" && {
      [own("rope.scaling.type")]: "linear",
      [own("rope.scaling.factor")]: { float32: factor ?? 1 },
    }),
  };
}

/** What Llama 3 divides each of its rotation frequencies by, one for every two dimensions of a head; else undefined. */
export function ropeFactors(config: ModelConfig): Float32Array | undefined {
  const scaling = ropeOf(config);
  if (scaling.type !== "llama3") return undefined;
  const { factor = 8, low_freq_factor: low = 1, high_freq_factor: high = 4 } = scaling;
  const trained = scaling.original_max_position_embeddings ?? 8192;
  const { headSize } = shapeOf(config);
  return Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * thetaOf(config) ** ((2 * i) / headSize);
    if (wavelength < trained / high) return 1;
    if (wavelength > trained / low) return factor;
    const smooth = (trained / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

function ropeOf(config: ModelConfig) {
  const scaling = config.rope_parameters ?? config.rope_scaling ?? {};
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type === "default" || type === "linear" || type === "llama3") return { ...scaling, type };
  throw unsupported(`rope scaling ${type}; known are default, linear and llama3`);
}

function thetaOf(config: ModelConfig): number {
  return config.rope_parameters?.rope_theta ?? config.rope_theta ?? usualTheta;
}

/** llama.cpp lets these architectures see all that came before, so a text must not be longer than the window. */
function positionsOf(config: ModelConfig): number {
  const { max_position_embeddings: positions, sliding_window: window } = config;
  // Qwen2's say a window and do not use it; Mistral's use the one they say.
  const hasWindow = config.use_sliding_window ?? config.model_type === "mistral";
  return hasWindow && typeof window === "number" ? Math.min(positions, window) : positions;
}

function unsupported(what: string): ThinkTreeError {
  return new ThinkTreeError("UNSUPPORTED_MODEL", `config.json: ${what}`);
}
