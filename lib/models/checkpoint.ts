/**
 * A Hugging Face checkpoint: a folder with settings in JSON files and weights in safetensors.
 *
 * Owns: which files it has and finding a tensor among its shards. Must not know: what the tensors and settings mean.
 */
import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";

import { z } from "zod";

import { ThinkTreeError } from "../errors.js";
import { SafetensorsFile, type StoredTensor } from "./safetensors.js";

const index = z.object({ weight_map: z.record(z.string(), z.string()) });

export class Checkpoint implements AsyncDisposable {
  /**
   * @param weights the file that has them all, if they are not in shards
   * @throws {ThinkTreeError} MODEL_LOAD_FAILED: a file is missing, cut short or not what its name says
   */
  static async open(folder: string, weights = "model.safetensors"): Promise<Checkpoint> {
    const files: SafetensorsFile[] = [];
    try {
      const tensors = new Map<string, StoredTensor>();
      const shards = await shardsOf(folder, weights);
      for (const [shard, names] of shards) {
        const file = await SafetensorsFile.open(join(folder, shard));
        files.push(file);
        for (const name of names ?? file.tensors.keys()) {
          const tensor = file.tensors.get(name);
          if (tensor === undefined) throw failed(folder, `${indexOf(weights)} seeks ${name} in ${shard}, which has no such tensor`);
          tensors.set(name, tensor);
        }
      }
      return new Checkpoint(folder, tensors, files);
    } catch (error) {
      await closeAll(files);
      throw error;
    }
  }

  private constructor(
    readonly folder: string,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    private readonly files: readonly SafetensorsFile[],
  ) {}

  /** @throws {ThinkTreeError} MODEL_LOAD_FAILED: there is none, or it is not of this shape */
  async json<T>(name: string, schema: z.ZodType<T>): Promise<T> {
    const value = await this.jsonIfAny(name, schema);
    if (value === undefined) throw failed(this.folder, `it has no ${name}`);
    return value;
  }

  /** Undefined if there is no such file. @throws {ThinkTreeError} MODEL_LOAD_FAILED: it is not of this shape */
  jsonIfAny<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    return readJson(this.folder, name, schema);
  }

  /** Undefined if there is no such file. */
  textIfAny(name: string): Promise<string | undefined> {
    return readText(this.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.files);
  }
}

function indexOf(weights: string): string {
  return `${weights}.index.json`;
}

/** Which tensors are sought in which file; undefined: all that it has. */
async function shardsOf(folder: string, single: string): Promise<Map<string, string[] | undefined>> {
  const indexName = indexOf(single);
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) {
    throw failed(folder, "there is no such folder");
  }
  const found = await readJson(folder, indexName, index);
  if (found === undefined) {
    if (await stat(join(folder, single)).catch(() => undefined)) return new Map([[single, undefined]]);
    throw failed(folder, `it has neither ${single} nor ${indexName}; weights in a .bin file must be saved anew as safetensors`);
  }
  const shards = new Map<string, string[]>();
  for (const [name, shard] of Object.entries(found.weight_map)) {
    if (basename(shard) !== shard || !shard.endsWith(".safetensors")) {
      throw failed(folder, `${indexName} names what is no safetensors file of the folder: ${shard}`);
    }
    const names = shards.get(shard);
    if (names === undefined) shards.set(shard, [name]);
    else names.push(name);
  }
  return shards;
}

async function readText(folder: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, name), "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw failed(folder, `cannot read ${name}: ${(cause as Error).message}`, cause);
  }
}

async function readJson<T>(folder: string, name: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readText(folder, name);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw failed(folder, `${name} is no JSON`, cause);
  }
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data;
  const { path, message } = error.issues[0]!;
  throw failed(folder, `${name}: ${path.map(String).join(".")}: ${message}`);
}

async function closeAll(files: readonly SafetensorsFile[]): Promise<void> {
  await Promise.all(files.map((file) => file[Symbol.asyncDispose]()));
}

function failed(folder: string, why: string, cause?: unknown): ThinkTreeError {
  return new ThinkTreeError("MODEL_LOAD_FAILED", `cannot import ${folder}: ${why}`, { cause });
}
