/**
 * The GGUF file format, version 3: header, metadata, tensor table, tensor data.
 *
 * Owns: the bytes of the container. Data is streamed, so a file may be larger than the memory.
 * Must not know: what the tensors mean.
 */
import { open, type FileHandle } from "node:fs/promises";

import { formatCode, rowBytes, type WeightFormat } from "../engine/weights.js";

export type MetadataValue =
  string | boolean | { uint32: number } | { float32: number } | readonly string[] | Int32Array | Float32Array;
export type Metadata = Readonly<Record<string, MetadataValue>>;

export interface Tensor {
  readonly name: string;
  readonly type: WeightFormat;
  readonly columns: number;
  /** 0: a vector. */
  readonly rows: number;
  /** All its bytes in order, in pieces of any size; a piece may be overwritten once the next is asked for. */
  readonly data: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

const version = 3;
const alignment = 32;
const kinds = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;

/** @throws {RangeError} a tensor's data are not as many bytes as its shape says */
export async function writeGguf(path: string, metadata: Metadata, tensors: readonly Tensor[]): Promise<void> {
  const file = await open(path, "w");
  try {
    let written = await writeAll(file, header(metadata, tensors));
    for (const tensor of tensors) {
      written += await writeAll(file, Buffer.alloc(padding(written)));
      const begin = written;
      for await (const piece of tensor.data()) written += await writeAll(file, piece);
      const expected = sizeOf(tensor);
      if (written - begin !== expected) {
        throw new RangeError(`${tensor.name} has ${written - begin} bytes, not ${expected}`);
      }
    }
    await writeAll(file, Buffer.alloc(padding(written)));
  } finally {
    await file.close();
  }
}

function header(metadata: Metadata, tensors: readonly Tensor[]): Buffer {
  const entries = Object.entries(metadata);
  const parts: Buffer[] = [Buffer.from("GGUF"), uint32(version), uint64(tensors.length), uint64(entries.length)];
  for (const [key, value] of entries) parts.push(string(key), ...encode(value));
  let offset = 0;
  for (const tensor of tensors) {
    const { name, type, columns, rows } = tensor;
    const dimensions = rows === 0 ? [columns] : [columns, rows];
    parts.push(string(name), uint32(dimensions.length), ...dimensions.map(uint64));
    parts.push(uint32(formatCode(type)), uint64(offset));
    offset += sizeOf(tensor);
    offset += padding(offset);
  }
  return Buffer.concat(parts);
}

function encode(value: MetadataValue): Buffer[] {
  if (typeof value === "string") return [uint32(kinds.string), string(value)];
  if (typeof value === "boolean") return [uint32(kinds.bool), Buffer.of(value ? 1 : 0)];
  if (value instanceof Int32Array || value instanceof Float32Array) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const kind = value instanceof Int32Array ? kinds.int32 : kinds.float32;
    return [uint32(kinds.array), uint32(kind), uint64(value.length), bytes];
  }
  if ("uint32" in value) return [uint32(kinds.uint32), uint32(value.uint32)];
  if ("float32" in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value.float32);
    return [uint32(kinds.float32), bytes];
  }
  return [uint32(kinds.array), uint32(kinds.string), uint64(value.length), Buffer.concat(value.map(string))];
}

function sizeOf({ type, columns, rows }: Tensor): number {
  return rowBytes(type, columns) * Math.max(1, rows);
}

function padding(offset: number): number {
  return (alignment - (offset % alignment)) % alignment;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

/** A single write may be partial: above 2 GB it always is. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<number> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
  return bytes.length;
}
