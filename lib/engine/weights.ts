/**
 * The number formats of weights.
 *
 * Owns: their names, sizes and ggml's numbers for them; conversion, which ggml does.
 * Must not know: models, files.
 */
import { ThinkTreeError } from "../errors.js";
import { convertWeights as convert } from "./addon.js";

/** Elements and bytes of one block of each format; ggml's number for it. */
const formats = {
  F32: { code: 0, elements: 1, bytes: 4 },
  F16: { code: 1, elements: 1, bytes: 2 },
  BF16: { code: 30, elements: 1, bytes: 2 },
  Q8_0: { code: 8, elements: 32, bytes: 34 },
  Q6_K: { code: 14, elements: 256, bytes: 210 },
  Q5_K: { code: 13, elements: 256, bytes: 176 },
  Q4_K: { code: 12, elements: 256, bytes: 144 },
  Q4_0: { code: 2, elements: 32, bytes: 18 },
} as const;

export type WeightFormat = keyof typeof formats;
/** What checkpoints come in. */
export type FloatFormat = "F32" | "F16" | "BF16";

export function formatCode(format: WeightFormat): number {
  return formats[format].code;
}

/** Whether rows of so many numbers consist of whole blocks. */
export function fits(format: WeightFormat, columns: number): boolean {
  return columns % formats[format].elements === 0;
}

/** Bytes of a row. @throws {RangeError} it has no whole number of blocks */
export function rowBytes(format: WeightFormat, columns: number): number {
  const { elements, bytes } = formats[format];
  if (!fits(format, columns)) throw new RangeError(`${columns} columns are no multiple of ${format}'s ${elements}`);
  return (columns / elements) * bytes;
}

/**
 * Rows of `columns` numbers in another format, on a thread of their own; several calls run at once. The bytes are copied.
 * @throws {ThinkTreeError} INVALID_OPTION: a number is infinite or none, or too large for the format
 */
export async function convertWeights(
  bytes: Uint8Array,
  from: FloatFormat,
  to: WeightFormat,
  columns: number,
): Promise<Uint8Array> {
  if (from === to) return bytes;
  try {
    return await convert(bytes, formatCode(from), formatCode(to), columns);
  } catch (error) {
    if (ThinkTreeError.isInstance(error)) throw error;
    throw new ThinkTreeError("INVALID_OPTION", `weights cannot be converted to ${to}: ${(error as Error).message}`);
  }
}
