/**
 * A checkpoint's weights on their way into a GGUF file: read in pieces, put in order, converted on several threads.
 *
 * Owns: how many pieces are under way, and which format a tensor gets. Must not know: files' layouts, models.
 */
import { convertWeights, fits, type FloatFormat, type WeightFormat } from "../engine/weights.js";
import { ThinkTreeError } from "../errors.js";
import type { Part } from "./backbone.js";
import type { Tensor } from "./gguf.js";

/** A piece is memory three times over: read, converted, written. */
const pieceBytes = 8 << 20;
/** As many as libuv's pool has threads. */
const atOnce = 4;
const floatBytes = { F32: 4, F16: 2, BF16: 2 } as const satisfies Record<FloatFormat, number>;

export interface Watcher {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the checkpoint that are done since the last call. */
  readonly onBytes: (bytes: number) => void;
}

/** @throws {ThinkTreeError} UNSUPPORTED_MODEL: quantised, or of integers */
export function tensorOf(part: Part, wanted: WeightFormat, watcher: Watcher): Tensor {
  const { name, source, columns, rows } = part;
  if (!(source.type in floatBytes)) {
    throw new ThinkTreeError("UNSUPPORTED_MODEL", `tensor ${source.name} is of type ${source.type}; known are F32, F16, BF16`);
  }
  const from = source.type as FloatFormat;
  const type = formatOf(part, wanted);
  return { name, type, columns, rows, data: () => stream(part, from, type, watcher) };
}

/** Vectors are small and llama.cpp adds or multiplies them in full precision; logits need more bits than other matrices. */
function formatOf({ name, columns, rows }: Part, wanted: WeightFormat): WeightFormat {
  if (rows === 0) return "F32";
  const isOutput = name === "output.weight" || name === "token_embd.weight";
  const better: WeightFormat = isOutput && /^Q[45]/.test(wanted) ? "Q6_K" : wanted;
  // What is narrower than a block gets the next format up that it fits.
  return ([better, "Q8_0", "F16"] as const).find((format) => fits(format, columns)) ?? "F16";
}

async function* stream(part: Part, from: FloatFormat, to: WeightFormat, watcher: Watcher): AsyncGenerator<Uint8Array> {
  const { source, columns } = part;
  const convert = async (begin: number, length: number) => {
    watcher.signal?.throwIfAborted();
    const bytes = await source.read(begin, length);
    try {
      return { length, bytes: await convertWeights(inOrder(bytes, part, from), from, to, columns) };
    } catch (error) {
      if (!ThinkTreeError.isInstance(error)) throw error;
      throw new ThinkTreeError(error.code, `tensor ${source.name}: ${error.message}`);
    }
  };
  const whole = unitBytes(part, from);
  const step = Math.max(1, Math.floor(pieceBytes / whole)) * whole;
  const pieces: ReturnType<typeof convert>[] = [];
  try {
    for (let begin = 0; begin < source.bytes || pieces.length > 0;) {
      for (; begin < source.bytes && pieces.length < atOnce; begin += step) {
        const piece = convert(begin, Math.min(step, source.bytes - begin));
        piece.catch(() => undefined); // it may fail while an earlier one is waited for
        pieces.push(piece);
      }
      const { length, bytes } = await pieces.shift()!;
      yield bytes;
      watcher.onBytes(length);
    }
  } finally {
    await Promise.allSettled(pieces); // the file is closed next
  }
}

/** What must come in one piece: a row, or a head whose rows change places. */
function unitBytes({ columns, rows, interleaved }: Part, from: FloatFormat): number {
  const width = floatBytes[from];
  if (rows === 0) return columns * width;
  return (interleaved ?? 1) * columns * width;
}

/** Rows 0, 1, 2, 3, ... of a head of 2n become 0, n, 1, n + 1, ...: what stood n apart stands side by side. */
function inOrder(bytes: Uint8Array, { columns, rows, interleaved }: Part, from: FloatFormat): Uint8Array {
  if (interleaved === undefined) return bytes;
  const row = (rows === 0 ? 1 : columns) * floatBytes[from];
  const half = interleaved / 2;
  const ordered = new Uint8Array(bytes.length);
  for (let to = 0; to * row < bytes.length; to++) {
    const inHead = to % interleaved;
    const source = to - inHead + (inHead % 2) * half + Math.floor(inHead / 2);
    ordered.set(bytes.subarray(source * row, (source + 1) * row), to * row);
  }
  return ordered;
}
