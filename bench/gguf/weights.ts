/**
 * Random weights in the formats of GGUF files, made as fast as a disk takes them.
 *
 * Owns: the bytes of F16 and Q8_0 rows. Must not know: which layer a matrix belongs to.
 */
import { rowBytes } from "#lib/engine/weights.js";

export type WeightType = "F16" | "Q8_0";

/** The first weights of every row can be chosen; the others are random. */
export const headSize = 32;
export type Head = Float64Array;

export interface Matrix {
  readonly type: WeightType;
  readonly columns: number;
  readonly rows: number;
  /** Standard deviation of the random weights. */
  readonly spread: number;
  readonly seed: number;
  /** Writes the row's first weights into `head`; "zero" makes the whole row zero but for them. Default: all random. */
  readonly head?: (row: number, head: Head) => "random" | "zero";
}

const blockElements = 32;
const blockBytes = 34;
const uniformInt8Spread = 256 / Math.sqrt(12);
/** Of magnitudes spread evenly over [1, 2). */
const mantissaSpread = Math.sqrt(7 / 3);
const pieceBytes = 4 << 20;

/** The matrix's bytes, some rows at a time, in a buffer that is used again. */
export function* randomMatrix({ type, columns, rows, spread, seed, head }: Matrix): Generator<Uint8Array> {
  const bytesPerRow = rowBytes(type, columns);
  const atOnce = Math.min(rows, Math.max(1, Math.floor(pieceBytes / bytesPerRow)));
  const words = new Int32Array(Math.ceil((bytesPerRow * atOnce) / 4));
  const bytes = Buffer.from(words.buffer);
  const fill = wordFiller(seed);
  const chosen: Head = new Float64Array(headSize);
  for (let first = 0; first < rows; first += atOnce) {
    const count = Math.min(atOnce, rows - first);
    fill(words);
    if (type === "Q8_0") spreadQ8(bytes, spread);
    else spreadF16(words, spread);
    for (let i = 0; head !== undefined && i < count; i++) {
      const at = i * bytesPerRow;
      if (head(first + i, chosen.fill(0)) === "zero") bytes.fill(0, at, at + bytesPerRow);
      if (type === "Q8_0") writeQ8Block(bytes, at, chosen);
      else chosen.forEach((value, j) => bytes.writeUInt16LE(toHalf(value), at + 2 * j));
    }
    yield bytes.subarray(0, count * bytesPerRow);
  }
}

/** A vector of 32-bit floats, all alike. */
export function constantVector(size: number, value: number): Uint8Array {
  return new Uint8Array(new Float32Array(size).fill(value).buffer);
}

/** The bits of a 16-bit float; too large a number is no use as a weight and is refused. */
export function toHalf(value: number): number {
  const magnitude = Math.abs(value);
  const sign = value < 0 ? 0x8000 : 0;
  if (magnitude < 2 ** -14) return sign | Math.round(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  const bits = ((exponent + 15) << 10) + Math.round((magnitude / 2 ** exponent - 1) * 1024);
  if (!(bits < 0x7c00)) throw new RangeError(`${value} is no 16-bit float`);
  return sign | bits;
}

/** xorshift128 (Marsaglia 2003): more than good enough for weights, and a nanosecond a word. */
function wordFiller(seed: number): (words: Int32Array) => void {
  let [x, y, z, w] = [seed | 0, 362436069, 521288629, 88675123];
  const fill = (words: Int32Array) => {
    for (let i = 0; i < words.length; i++) {
      const t = x ^ (x << 11);
      x = y;
      y = z;
      z = w;
      w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
      words[i] = w;
    }
  };
  fill(new Int32Array(16)); // seeds that differ by little begin alike
  return fill;
}

function spreadQ8(bytes: Buffer, spread: number): void {
  const scale = toHalf(spread / uniformInt8Spread);
  for (let at = 0; at + blockBytes <= bytes.length; at += blockBytes) bytes.writeUInt16LE(scale, at);
}

/** Sign and mantissa stay random, the exponent is fixed. */
function spreadF16(words: Int32Array, spread: number): void {
  const exponent = Math.round(Math.log2(spread / mantissaSpread)) + 15;
  const bits = Math.min(30, Math.max(1, exponent)) * 0x0400_0400;
  for (let i = 0; i < words.length; i++) words[i] = (words[i]! & 0x83ff_83ff) | bits;
}

function writeQ8Block(bytes: Buffer, at: number, values: Head): void {
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  bytes.writeUInt16LE(toHalf(scale), at);
  for (let i = 0; i < blockElements; i++) {
    bytes.writeInt8(scale === 0 ? 0 : Math.round(values[i]! / scale), at + 2 + i);
  }
}
