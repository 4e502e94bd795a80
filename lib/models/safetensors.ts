/**
 * Reading safetensors files, whose tensors lie one after the other behind a JSON header.
 *
 * Owns: the format and what a file must not claim. Reads a piece at a time, so a file may be larger than the memory.
 * Must not know: which tensors a model has.
 */
import { open, type FileHandle } from "node:fs/promises";

import { z } from "zod";

import { ThinkTreeError } from "../errors.js";

export interface StoredTensor {
  readonly name: string;
  /** As the file says: F32, BF16, I64, ... */
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** @throws {ThinkTreeError} MODEL_LOAD_FAILED: the range is not within the tensor, or the file has shrunk */
  read(begin: number, length: number): Promise<Uint8Array>;
}

/** What the format allows. */
const mostHeaderBytes = 100_000_000;

const elementBytes = new Map(
  Object.entries({ F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 }),
);

const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const entry = z.object({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) });

export class SafetensorsFile implements AsyncDisposable {
  /** @throws {ThinkTreeError} MODEL_LOAD_FAILED: missing, cut short, or no such file */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path, "r").catch((cause: Error) => {
      throw broken(path, cause.message, cause);
    });
    try {
      return new SafetensorsFile(file, await readTensors(file, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(
    private readonly file: FileHandle,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
  ) {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close();
  }
}

async function readTensors(file: FileHandle, path: string): Promise<Map<string, StoredTensor>> {
  const { size: fileBytes } = await file.stat();
  if (fileBytes < 8) throw broken(path, "it is too short for a header");
  const headerBytes = Number((await readAt(file, path, 0, 8)).readBigUInt64LE());
  if (headerBytes > Math.min(mostHeaderBytes, fileBytes - 8)) {
    throw broken(path, `a header of ${headerBytes} bytes is longer than the file or than the format allows`);
  }
  const begin = 8 + headerBytes;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, value] of Object.entries(parseHeader(await readAt(file, path, 8, headerBytes), path))) {
    if (name === "__metadata__") continue;
    const { data, error } = entry.safeParse(value);
    if (error) throw broken(path, `the entry of ${name} is not {dtype, shape, data_offsets}`);
    const { dtype, shape, data_offsets: offsets } = data;
    const bytes = offsets[1] - offsets[0];
    const width = elementBytes.get(dtype);
    if (width !== undefined && bytes !== width * shape.reduce((product, length) => product * length, 1)) {
      throw broken(path, `${name} has ${bytes} bytes, which is not ${dtype} of shape [${shape.join(", ")}]`);
    }
    if (bytes < 0 || begin + offsets[1] > fileBytes) {
      throw broken(path, `${name} lies beyond the end of the file: is the download complete?`);
    }
    const read = (at: number, length: number) => {
      if (at < 0 || length < 0 || at + length > bytes) throw broken(path, `${name} has no bytes ${at} to ${at + length}`);
      return readAt(file, path, begin + offsets[0] + at, length);
    };
    tensors.set(name, { name, type: dtype, shape, bytes, read });
  }
  return tensors;
}

function parseHeader(bytes: Buffer, path: string): object {
  try {
    const header: unknown = JSON.parse(bytes.toString());
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return header;
  } catch {
    // Said below.
  }
  throw broken(path, "its header is no JSON object");
}

/** A single read may be partial. */
async function readAt(file: FileHandle, path: string, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw broken(path, "it ends too early");
    done += bytesRead;
  }
  return bytes;
}

function broken(path: string, why: string, cause?: unknown): ThinkTreeError {
  return new ThinkTreeError("MODEL_LOAD_FAILED", `cannot read ${path} as safetensors: ${why}`, { cause });
}
