/**
 * The tensors of a decoder-only backbone: their names in a checkpoint and in GGUF.
 *
 * Owns: which there must be, their shapes, and the order of rows that llama.cpp wants.
 * Must not know: files' formats, tokens, heads.
 */
import { ThinkTreeError } from "../errors.js";
import type { ModelConfig, Shape } from "./model-config.js";
import { ropeFactors, shapeOf } from "./model-config.js";
import type { StoredTensor } from "./safetensors.js";

export interface Part {
  readonly name: string;
  readonly source: StoredTensor;
  readonly columns: number;
  /** 0: a vector. */
  readonly rows: number;
  /** Rows of one head, whose halves are to be interleaved; undefined: the rows stay in order. */
  readonly interleaved?: number;
}

export interface Backbone {
  readonly parts: readonly Part[];
  /** Of the embeddings, which may have more rows than there are tokens. */
  readonly vocabulary: number;
  readonly ropeFactors: Float32Array | undefined;
  /** Tensors that are no part of it, but for those that hold nothing of a model. */
  readonly rest: ReadonlyMap<string, StoredTensor>;
}

const embeddings = "embed_tokens.weight";
/** Computed from the settings, and stored by old checkpoints. */
const ignored = /\.rotary_emb\.inv_freq$|\.masked_bias$/;

interface Matrix {
  readonly name: string;
  readonly source: string;
  readonly rows: number;
  readonly columns: number;
  readonly bias: "must" | "may" | "none";
  readonly rotated: boolean;
}

/**
 * @param withOutput whether its logits are of use: where only a head reads it, an output matrix would be in vain
 * @throws {ThinkTreeError} UNSUPPORTED_MODEL, MODEL_LOAD_FAILED: a tensor is missing or of another shape
 */
export function backboneOf(
  config: ModelConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
  withOutput: boolean,
): Backbone {
  const shape = shapeOf(config);
  const rest = new Map([...tensors].filter(([name]) => !ignored.test(name)));
  const prefix = prefixOf(tensors);
  const vocabulary = tensors.get(prefix + embeddings)!.shape[0] ?? 0;
  const parts: Part[] = [];
  const take = (name: string, from: string, rows: number, columns: number, interleaved?: number) => {
    const source = rest.get(from);
    if (source === undefined) throw new ThinkTreeError("MODEL_LOAD_FAILED", `the checkpoint has no tensor ${from}`);
    const expected = rows === 0 ? [columns] : [rows, columns];
    if (source.shape.join() !== expected.join()) {
      const shapes = `[${source.shape.join(", ")}], not [${expected.join(", ")}] as config.json says`;
      throw new ThinkTreeError("MODEL_LOAD_FAILED", `the checkpoint's tensor ${from} is of shape ${shapes}`);
    }
    rest.delete(from);
    parts.push({ name, source, rows, columns, ...(interleaved !== undefined && { interleaved }) });
  };

  const { width } = shape;
  take("token_embd.weight", prefix + embeddings, vocabulary, width);
  for (let layer = 0; layer < shape.layers; layer++) {
    const [own, theirs] = [`blk.${layer}.`, `${prefix}layers.${layer}.`];
    take(`${own}attn_norm.weight`, `${theirs}input_layernorm.weight`, 0, width);
    take(`${own}ffn_norm.weight`, `${theirs}post_attention_layernorm.weight`, 0, width);
    for (const { name, source, rows, columns, bias, rotated } of matricesOf(shape)) {
      const interleaved = rotated ? shape.headSize : undefined;
      take(`${own}${name}.weight`, `${theirs}${source}.weight`, rows, columns, interleaved);
      const has = bias === "must" || (bias === "may" && rest.has(`${theirs}${source}.bias`));
      if (has) take(`${own}${name}.bias`, `${theirs}${source}.bias`, 0, rows, interleaved);
    }
  }
  take("output_norm.weight", `${prefix}norm.weight`, 0, width);
  const outputs = [...rest.keys()].filter((name) => name === "lm_head.weight" || name.endsWith(".lm_head.weight"));
  if (withOutput && !config.tie_word_embeddings) take("output.weight", outputs[0] ?? "lm_head.weight", vocabulary, width);
  for (const name of outputs) rest.delete(name);
  return { parts, vocabulary, ropeFactors: ropeFactors(config), rest };
}

/** What stands before the backbone's names: "model.", or another, by what class has saved it. */
function prefixOf(tensors: ReadonlyMap<string, StoredTensor>): string {
  const found = [...tensors.keys()].filter((name) => name === embeddings || name.endsWith(`.${embeddings}`));
  if (found.length === 1) return found[0]!.slice(0, -embeddings.length);
  throw new ThinkTreeError(
    "MODEL_LOAD_FAILED",
    `the checkpoint has ${found.length === 0 ? "no tensor" : "several tensors"} named ${embeddings}` +
      (found.length === 0 ? ", as a LoRA has none: import-lora makes an adapter of it" : ""),
  );
}

/** Those that a rotation by position follows: it turns dimension i with i + half a head, llama.cpp's for Llama turns neighbours. */
export function isInterleaved(architecture: Shape["architecture"], name: string): boolean {
  return architecture === "llama" && (name === "attn_q" || name === "attn_k");
}

/** Names in GGUF and in a checkpoint, within a layer. */
export const matrixSources = {
  ...{ attn_q: "self_attn.q_proj", attn_k: "self_attn.k_proj", attn_v: "self_attn.v_proj" },
  ...{ attn_output: "self_attn.o_proj", ffn_gate: "mlp.gate_proj", ffn_up: "mlp.up_proj", ffn_down: "mlp.down_proj" },
} as const;

function matricesOf({ architecture, width, feedForward, heads, kvHeads, headSize }: Shape): Matrix[] {
  const llama = architecture === "llama";
  const [queries, keys] = [heads * headSize, kvHeads * headSize];
  const matrix = (
    name: keyof typeof matrixSources,
    [rows, columns]: readonly [number, number],
    bias: Matrix["bias"],
  ): Matrix => {
    return { name, source: matrixSources[name], rows, columns, bias, rotated: isInterleaved(architecture, name) };
  };
  const inner = llama ? "may" : "must";
  const outer = llama ? "may" : "none";
  return [
    matrix("attn_q", [queries, width], inner),
    matrix("attn_k", [keys, width], inner),
    matrix("attn_v", [keys, width], inner),
    matrix("attn_output", [width, queries], outer),
    matrix("ffn_gate", [feedForward, width], outer),
    matrix("ffn_up", [feedForward, width], outer),
    matrix("ffn_down", [width, feedForward], outer),
  ];
}
