/**
 * A LoRA as PEFT saves it (adapter_config.json, adapter_model.safetensors) as a GGUF adapter for one base model, and beside
 * it the reward head that was trained with it, if one was.
 *
 * Owns: PEFT's settings and names, and what of them an adapter can say. Must not know: terminals, searches.
 */
import { basename } from "node:path";

import { z } from "zod";

import type { FloatFormat } from "../engine/weights.js";
import { ThinkTreeError } from "../errors.js";
import { isInterleaved, matrixSources, type Part } from "./backbone.js";
import { Checkpoint } from "./checkpoint.js";
import type { Metadata } from "./gguf.js";
import { hasHead, kindOf, recipeKey, type Kind, type RecipeName } from "./heads.js";
import type { StoredTensor } from "./safetensors.js";
import { tensorOf, type Watcher } from "./weight-stream.js";
import { filesOf, headContents, headParts, writeWithHead } from "./with-head.js";

export interface LoraImportOptions {
  /** Of the model that it was trained on, as its GGUF says; null where it does not. */
  readonly base: { readonly architecture: string; readonly headSize: number | null; readonly width: number | null };
  /** NAME, or NAME.gguf: the adapter goes to NAME.gguf, a head to NAME.head.gguf. What is there is replaced. */
  readonly out: string;
  /** Ends the import; nothing of it is left. */
  readonly signal?: AbortSignal | undefined;
}

const patterns = z.record(z.string(), z.unknown()).nullish();
const settings = z.looseObject({
  peft_type: z.string(),
  r: z.number().int().positive(),
  lora_alpha: z.number(),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  fan_in_fan_out: z.boolean().nullish(),
  alpha_pattern: patterns,
  rank_pattern: patterns,
  alora_invocation_tokens: z.array(z.number()).nullish(),
});
type Settings = z.infer<typeof settings>;

export interface ImportedLora {
  readonly adapter: string;
  readonly head: string | undefined;
  /** Undefined: there is no head that would tell. */
  readonly recipe: RecipeName | undefined;
}

/**
 * Its numbers stay as they are, in their own format; a head's become full precision.
 * @throws {ThinkTreeError} MODEL_LOAD_FAILED: broken, or for another base; UNSUPPORTED_MODEL: what an adapter cannot say;
 * INVALID_OPTION
 */
export async function importLora(folder: string, { base, out, signal }: LoraImportOptions): Promise<ImportedLora> {
  await using checkpoint = await Checkpoint.open(folder, "adapter_model.safetensors");
  const config = await checkpoint.json("adapter_config.json", settings);
  assertPlain(config);
  const { pairs, others } = sorted(checkpoint.tensors);
  const parts = partsOf(pairs, base);
  const { recipe, head } = kindOfHead(others, base);
  const metadata: Metadata = {
    "general.type": "adapter",
    "general.architecture": base.architecture,
    "general.name": basename(folder),
    "adapter.type": "lora",
    "adapter.lora.alpha": { float32: alphaOf(config) },
    ...(recipe !== undefined && { [recipeKey]: recipe }),
  };
  const watcher: Watcher = { signal, onBytes: () => undefined };
  const tensors = parts.map((part) => tensorOf(part, part.source.type as FloatFormat, watcher));
  const ofHead = head && headParts(head).map((part) => tensorOf(part, "F32", watcher));
  await writeWithHead(out, { metadata, tensors }, ofHead && headContents(recipe!, ofHead));
  const files = filesOf(out);
  return { adapter: files.model, head: head && files.head, recipe };
}

/** What is computed in another way than W + alpha / r * B * A, or not with all tokens. */
function assertPlain(config: Settings): void {
  if (config.peft_type !== "LORA") throw unsupported(`it is of PEFT's type ${config.peft_type}, not LORA`);
  const some = (pattern: z.infer<typeof patterns>) => pattern != null && Object.keys(pattern).length > 0;
  const others = [
    ["use_dora", config.use_dora === true],
    ["fan_in_fan_out", config.fan_in_fan_out === true],
    ["alpha_pattern", some(config.alpha_pattern)],
    ["use_rslora with rank_pattern", config.use_rslora === true && some(config.rank_pattern)],
    ["alora_invocation_tokens", config.alora_invocation_tokens != null],
  ] as const;
  const found = others.find(([, is]) => is);
  if (found !== undefined) throw unsupported(`a GGUF adapter cannot say what ${found[0]} means`);
}

/** llama.cpp divides it by the rank; rank-stabilised LoRA (rsLoRA) divides by the rank's square root. */
function alphaOf({ r, lora_alpha: alpha, use_rslora: stabilised }: Settings): number {
  return stabilised === true ? alpha * Math.sqrt(r) : alpha;
}

const layerTensor = /\blayers\.(\d+)\.(.+)\.lora_([AB])(?:\.default)?\.weight$/;
const outputTensor = /\blm_head\.lora_([AB])(?:\.default)?\.weight$/;
const names = new Map<string, string>(Object.entries(matrixSources).map(([name, source]) => [source, name]));

/** Pairs of a LoRA, and what was trained whole (PEFT's modules_to_save), by its name in the base model. */
function sorted(tensors: ReadonlyMap<string, StoredTensor>) {
  const pairs: StoredTensor[] = [];
  const others = new Map<string, StoredTensor>();
  for (const tensor of tensors.values()) {
    if (layerTensor.test(tensor.name) || outputTensor.test(tensor.name)) pairs.push(tensor);
    else others.set(tensor.name.replace(/^base_model\.model\./, "").replace(/\.modules_to_save(\.default)?/, ""), tensor);
  }
  return { pairs, others };
}

function kindOfHead(others: ReadonlyMap<string, StoredTensor>, { width }: LoraImportOptions["base"]): Partial<Kind> {
  if (hasHead(others)) return kindOf([], others, width ?? 0, undefined);
  const [other] = others.values();
  if (other !== undefined) throw notALora(other);
  return {};
}

function notALora({ name }: StoredTensor): ThinkTreeError {
  return unsupported(`it holds ${name}, which is no LoRA of a projection or of the output`);
}

function partsOf(tensors: readonly StoredTensor[], { architecture, headSize }: LoraImportOptions["base"]): Part[] {
  if ((architecture !== "llama" && architecture !== "qwen2") || headSize === null) {
    throw unsupported(`the base is of architecture ${architecture || "none"}; known are llama (Mistral too) and qwen2`);
  }
  const parts = tensors.map((source): Part => {
    const [, layer, module = "", of] = layerTensor.exec(source.name) ?? [];
    const [, ofOutput] = outputTensor.exec(source.name) ?? [];
    const name = names.get(module);
    if (ofOutput === undefined && name === undefined) throw notALora(source);
    const [rows = 0, columns = 0, ...more] = source.shape;
    const isB = (of ?? ofOutput) === "B";
    const interleaved = isB && name !== undefined && isInterleaved(architecture, name) ? headSize : undefined;
    if (rows === 0 || columns === 0 || more.length > 0 || (interleaved !== undefined && rows % interleaved !== 0)) {
      const shape = source.shape.join(", ");
      throw new ThinkTreeError("MODEL_LOAD_FAILED", `${source.name} is of shape [${shape}], which does not fit the base`);
    }
    const weights = name === undefined ? "output.weight" : `blk.${layer}.${name}.weight`;
    return {
      ...{ name: `${weights}.lora_${isB ? "b" : "a"}`, source, rows, columns },
      ...(interleaved !== undefined && { interleaved }),
    };
  });
  if (parts.length > 0) return parts;
  throw new ThinkTreeError("MODEL_LOAD_FAILED", "the adapter has no tensors");
}

function unsupported(why: string): ThinkTreeError {
  return new ThinkTreeError("UNSUPPORTED_MODEL", `cannot import the adapter: ${why}; merge it into its base model instead`);
}
