/**
 * Random LoRA adapters, and the same change made to the weights themselves by plain arithmetic.
 *
 * Owns: what an adapter means: W + scale * alpha / rank * B * A. Must not know: who computes it.
 */
import { readFileSync, writeFileSync } from "node:fs";

import { convertWeights } from "../../lib/engine/addon.js";
import { formatCode } from "../../lib/engine/weights.js";
import { seededRandom } from "../../lib/evaluation/statistics.js";
import { parseGguf, serialiseGguf, stringType, type GgufFile, type TensorEntry } from "./gguf-file.js";

export interface Lora {
  readonly alpha: number;
  readonly rank: number;
  /** By the name of the weights; rows of A: `rank` x inputs, rows of B: outputs x `rank`. */
  readonly pairs: ReadonlyMap<string, { readonly a: Float32Array; readonly b: Float32Array }>;
}

/** A model's file with all its weights in F32, in which a merge loses nothing. */
export async function inFloats(path: string): Promise<GgufFile> {
  const file = parseGguf(readFileSync(path));
  for (const tensor of file.tensors) {
    if (tensor.type === formatCode("F32")) continue;
    const columns = Number(tensor.dimensions[0]);
    const bytes = tensor.data.subarray(0, 2 * elementsOf(tensor)); // F16; the rest is padding
    tensor.data = Buffer.from(await convertWeights(bytes, tensor.type, formatCode("F32"), columns));
    tensor.type = formatCode("F32");
  }
  return file;
}

/** On all matrices whose name matches. */
export function randomLora(
  model: GgufFile,
  names: RegExp,
  options: { rank: number; alpha: number; seed: number },
): Lora {
  const { rank, alpha, seed } = options;
  const random = seededRandom(seed);
  const matrix = (size: number, spread: number) =>
    Float32Array.from({ length: size }, () => spread * (2 * random() - 1));
  const changed = model.tensors.filter(({ name, dimensions }) => dimensions.length === 2 && names.test(name));
  const pairs = changed.map(({ name, dimensions }) => {
    const [inputs, outputs] = dimensions.map(Number) as [number, number];
    // So that inputs of spread 1 change outputs by about alpha / rank.
    const a = matrix(rank * inputs, Math.sqrt(3 / inputs));
    return [name, { a, b: matrix(outputs * rank, Math.sqrt(3 / rank)) }] as const;
  });
  return { alpha, rank, pairs: new Map(pairs) };
}

/** As llama.cpp's converter writes it; `change` may spoil it. */
export function writeLora(
  path: string,
  model: GgufFile,
  lora: Lora,
  change: (file: GgufFile) => void = () => undefined,
): void {
  const text = (key: string, value: string) => ({ key, type: stringType, value });
  const architecture = model.entries.find(({ key }) => key === "general.architecture")!.value as string;
  const tensors = [...lora.pairs].flatMap(([name, { a, b }]) => {
    const [inputs, outputs] = model.tensors.find((one) => one.name === name)!.dimensions as [bigint, bigint];
    const rank = BigInt(lora.rank);
    // Of embeddings a token's row of A is looked up.
    return name === "token_embd.weight"
      ? [
          tensor(`${name}.lora_a`, [rank, outputs], b),
          tensor(`${name}.lora_b`, [rank, inputs], transposed(a, lora.rank)),
        ]
      : [tensor(`${name}.lora_a`, [inputs, rank], a), tensor(`${name}.lora_b`, [rank, outputs], b)];
  });
  const file: GgufFile = {
    ...{ magic: "GGUF", version: 3, tensors },
    entries: [
      text("general.type", "adapter"),
      text("general.architecture", architecture),
      text("adapter.type", "lora"),
      { key: "adapter.lora.alpha", type: 6, value: lora.alpha },
    ],
  };
  change(file);
  writeFileSync(path, serialiseGguf(file));
}

/** The model with the adapters' changes in its weights. */
export function merged(model: GgufFile, changes: readonly (readonly [lora: Lora, scale: number])[]): GgufFile {
  const tensors = model.tensors.map((one) => {
    const [inputs, outputs] = one.dimensions.map(Number) as [number, number];
    const weights = new Float32Array(Float32Array.from(floatsOf(one)));
    for (const [{ pairs, rank, alpha }, scale] of changes) {
      const { a, b } = pairs.get(one.name) ?? {};
      if (a === undefined || b === undefined) continue;
      for (let output = 0; output < outputs; output++) {
        for (let input = 0; input < inputs; input++) {
          let sum = 0;
          for (let r = 0; r < rank; r++) sum += b[output * rank + r]! * a[r * inputs + input]!;
          weights[output * inputs + input]! += ((scale * alpha) / rank) * sum;
        }
      }
    }
    return { ...one, data: Buffer.from(weights.buffer) };
  });
  return { ...model, tensors };
}

function tensor(name: string, dimensions: bigint[], values: Float32Array): TensorEntry {
  return { name, dimensions, type: formatCode("F32"), offset: 0n, data: Buffer.from(values.buffer) };
}

function transposed(rows: Float32Array, count: number): Float32Array {
  const columns = rows.length / count;
  return Float32Array.from(rows, (_, i) => rows[(i % count) * columns + Math.floor(i / count)]!);
}

function elementsOf({ dimensions }: TensorEntry): number {
  return dimensions.reduce((product, n) => product * Number(n), 1);
}

function floatsOf(tensor: TensorEntry): Float32Array {
  const bytes = Uint8Array.prototype.slice.call(tensor.data, 0, 4 * elementsOf(tensor));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
