/**
 * Tiny Hugging Face checkpoints of every kind of process reward model: the real tokenizers, random weights, always the same.
 *
 * Owns: which there are, their settings, tensors and files. Must not know: who reads them; test/golden/ has what PyTorch
 * makes of them.
 *
 * Two layers of width 64 on a real vocabulary: at most 20 million weights. They are large enough that scores spread over
 * (0, 1).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { tokenizerFiles, type TokenizerName } from "./hugging-face-tokenizers.js";

type FloatType = "F32" | "F16" | "BF16";

interface Plan {
  readonly family: "qwen2" | "llama" | "mistral";
  readonly architecture: string;
  readonly tokenizer: TokenizerName;
  readonly type: FloatType;
  readonly seed: number;
  /** Of the head's tensors. */
  readonly head?: Readonly<Record<string, readonly number[]>>;
  readonly config?: object;
  readonly tokenizerConfig?: object;
  readonly system?: string;
  readonly shards?: number;
}

const width = 64;
const [heads, kvHeads, layers, feedForward] = [4, 2, 2, 128];
const headSize = width / heads;
const vocabularies: Readonly<Record<TokenizerName, number>> = {
  ...{ qwen2: 151_936, "llama-bpe": 128_256, "llama-spm": 32_000 },
};
const boxed = "Please reason step by step, and put your final answer within \\\\boxed{}."; // as Jinja writes a backslash
const llama3Rope = {
  ...{ rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
  original_max_position_embeddings: 64, // so that texts of a test's length notice
};
const qwen = { family: "qwen2", tokenizer: "qwen2", type: "BF16" } as const;
const llama = { family: "llama", tokenizer: "llama-bpe", type: "BF16" } as const;
const mistral = { family: "mistral", tokenizer: "llama-spm", type: "F32" } as const;
const layer = (name: string, outputs: number, bias = true) => ({
  [`${name}.weight`]: [outputs, width],
  ...(bias && { [`${name}.bias`]: [outputs] }),
});

/** By the golden files' names. */
export const checkpoints = {
  "qwen2.5-math-prm": {
    ...{ ...qwen, seed: 1, architecture: "Qwen2ForProcessRewardModel", shards: 2 },
    head: { ...layer("score.0", width), ...layer("score.2", 2) },
  },
  "skywork-o1": {
    ...{ ...qwen, seed: 2, architecture: "Qwen2ForPrmModel", head: layer("v_head.summary", 1) },
    tokenizerConfig: { bos_token: "<|endoftext|>" },
  },
  trl: { ...qwen, seed: 3, architecture: "Qwen2ForTokenClassification", head: layer("score", 2) },
  "eurus-prm": { ...qwen, seed: 4, architecture: "Qwen2ForCausalLM", system: boxed },
  "eurus-prm-reference": {
    ...{ ...qwen, seed: 5, architecture: "Qwen2ForCausalLM", system: boxed },
    config: { tie_word_embeddings: true },
  },
  rlhflow: { ...llama, seed: 6, architecture: "LlamaForCausalLM", config: { rope_scaling: llama3Rope } },
  orm: { ...llama, seed: 7, architecture: "LlamaForSequenceClassification", head: layer("score", 1, false) },
  "trl-llama": { ...llama, seed: 8, architecture: "LlamaForTokenClassification", head: layer("score", 2) },
  "math-shepherd": { ...mistral, seed: 9, architecture: "MistralForCausalLM" },
  "reasoneval-7b": {
    ...{ ...mistral, seed: 10, architecture: "ReasonEval_7B", head: layer("score_head", 3) },
    ...{ config: { score_dimension: 3, use_bias: true }, tokenizerConfig: { pad_token: "<s>" } },
  },
  "reasoneval-34b": {
    ...{ ...mistral, family: "llama", seed: 11, architecture: "ReasonEval_34B", head: layer("score_head", 3, false) },
    ...{ type: "F16", config: { score_dim: 3, bias: false }, tokenizerConfig: { pad_token: "<unk>" } },
  },
  genprm: { ...qwen, seed: 12, architecture: "Qwen2ForCausalLM" },
  thinkprm: { ...qwen, seed: 13, architecture: "Qwen2ForCausalLM" },
} as const satisfies Record<string, Plan>;

export type CheckpointName = keyof typeof checkpoints;

/** The folder's path. */
export async function writeCheckpoint(parent: string, name: CheckpointName): Promise<string> {
  const plan: Plan = checkpoints[name];
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  const json = (file: string, value: object) => writeFileSync(join(folder, file), JSON.stringify(value));
  const { json: tokenizer, config } = await tokenizerFiles(plan.tokenizer, plan.system);
  json("tokenizer.json", tokenizer);
  json("tokenizer_config.json", { ...config, ...plan.tokenizerConfig });
  json("config.json", configOf(plan));

  const tensors = Object.entries(shapesOf(plan));
  const { shards = 1 } = plan;
  const names = shards === 1 ? ["model.safetensors"] : tensors.map((_, i) => shardName(i % shards, shards));
  const map = Object.fromEntries(tensors.map(([tensor], i) => [tensor, names[i % names.length]!]));
  for (const file of new Set(names)) {
    const own = tensors.flatMap(([tensor, shape], i) =>
      map[tensor] === file ? [{ name: tensor, shape, bytes: weightsOf(plan, i, tensor, shape) }] : [],
    );
    writeFileSync(join(folder, file), safetensors(plan.type, own));
  }
  if (shards > 1) json("model.safetensors.index.json", { metadata: {}, weight_map: map });
  return folder;
}

function shardName(index: number, shards: number): string {
  const digits = (n: number) => String(n).padStart(5, "0");
  return `model-${digits(index + 1)}-of-${digits(shards)}.safetensors`;
}

function configOf({ family, architecture, tokenizer, head, config }: Plan): object {
  return {
    ...{ architectures: [architecture], model_type: family, hidden_size: width, num_hidden_layers: layers },
    ...{ num_attention_heads: heads, num_key_value_heads: kvHeads, intermediate_size: feedForward },
    ...{ vocab_size: vocabularies[tokenizer], max_position_embeddings: 4096, rms_norm_eps: 1e-6, hidden_act: "silu" },
    ...{ rope_theta: 10_000, tie_word_embeddings: false, torch_dtype: "float32", attention_bias: false },
    ...(head !== undefined && "score.weight" in head && { num_labels: head["score.weight"][0] }),
    ...(family === "mistral" && { sliding_window: null }),
    ...config,
  };
}

function shapesOf({ family, tokenizer, head, architecture, config }: Plan): Record<string, readonly number[]> {
  const vocabulary = vocabularies[tokenizer];
  const [queries, keys] = [heads * headSize, kvHeads * headSize];
  const shapes: Record<string, readonly number[]> = { "model.embed_tokens.weight": [vocabulary, width] };
  for (let i = 0; i < layers; i++) {
    const own = (name: string) => `model.layers.${i}.${name}`;
    shapes[own("input_layernorm.weight")] = [width];
    for (const [name, rows] of Object.entries({ q: queries, k: keys, v: keys })) {
      shapes[own(`self_attn.${name}_proj.weight`)] = [rows, width];
      if (family === "qwen2") shapes[own(`self_attn.${name}_proj.bias`)] = [rows];
    }
    shapes[own("self_attn.o_proj.weight")] = [width, queries];
    shapes[own("post_attention_layernorm.weight")] = [width];
    shapes[own("mlp.gate_proj.weight")] = [feedForward, width];
    shapes[own("mlp.up_proj.weight")] = [feedForward, width];
    shapes[own("mlp.down_proj.weight")] = [width, feedForward];
  }
  shapes["model.norm.weight"] = [width];
  const tied = config !== undefined && "tie_word_embeddings" in config;
  if (architecture.endsWith("ForCausalLM") && !tied) shapes["lm_head.weight"] = [vocabulary, width];
  return { ...shapes, ...head };
}

/** Of the uniform distributions that the weights are drawn from. */
function rangeOf(name: string, shape: readonly number[]): { middle: number; reach: number } {
  if (name.endsWith("norm.weight")) return { middle: 1, reach: 0.3 };
  if (name.endsWith(".bias")) return { middle: 0, reach: 0.3 };
  if (name.endsWith("embed_tokens.weight")) return { middle: 0, reach: 0.3 };
  // Attention that is sure of one token makes much of the cache's 16-bit numbers; what it finds should count.
  const strength = /[qk]_proj/.test(name) ? 1.5 : 3;
  return { middle: 0, reach: strength / Math.sqrt(shape.at(-1)!) };
}

function weightsOf({ type, seed }: Plan, tensor: number, name: string, shape: readonly number[]): Uint8Array {
  const count = shape.reduce((product, length) => product * length, 1);
  const { middle, reach } = rangeOf(name, shape);
  const floats = new Float32Array(count);
  const stream = hash(hash(seed) + tensor);
  for (let i = 0; i < count; i++) floats[i] = middle + reach * (hash(stream + i) / 2 ** 31 - 1);
  if (type === "F32") return new Uint8Array(floats.buffer);
  const bits = new Uint32Array(floats.buffer);
  return new Uint8Array(Uint16Array.from(bits, type === "BF16" ? (word) => word >>> 16 : cutToHalf).buffer);
}

/** Of 32 bits, without a state: a counter in, a number in [0, 2^32) out (the finaliser of MurmurHash3). */
function hash(counter: number): number {
  let x = counter | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The bits of a 16-bit float from those of a 32-bit one below 2^15, cut off; what is too small for a normal one is zero. */
function cutToHalf(word: number): number {
  const exponent = ((word >>> 23) & 255) - 112;
  return ((word >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((word >>> 13) & 1023));
}

interface Stored {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A safetensors file. */
export function safetensors(type: string, tensors: readonly Stored[]): Buffer {
  let offset = 0;
  const header: Record<string, object> = { __metadata__: { format: "pt" } };
  for (const { name, shape, bytes } of tensors) {
    header[name] = { dtype: type, shape, data_offsets: [offset, (offset += bytes.length)] };
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...tensors.map(({ bytes }) => bytes)]);
}
