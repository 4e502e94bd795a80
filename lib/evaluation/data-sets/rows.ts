/**
 * The records of a data file, one after the other.
 *
 * Owns: telling JSON lines, a JSON array and Parquet apart, gzipped or not, by their content; where a record stands, in words.
 * JSON lines and Parquet are read in parts, a JSON array at once.
 * Must not know: what the records mean.
 */
import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";

import type { ColumnMetaData, FileMetaData, SchemaTree } from "hyparquet";

import { ThinkTreeError } from "../../errors.js";
import { linesOf } from "../lines.js";

export interface Row {
  readonly value: unknown;
  /** For messages: "test.jsonl:12" or "test.parquet, record 12", counted from 1. */
  readonly place: string;
}

/**
 * Blank lines are skipped. Null values are left out of records, and whole numbers of 64 bits are numbers, or text where a
 * number would not hold them: so a record is the same whatever it was kept in.
 *
 * @throws {ThinkTreeError} INVALID_OPTION: names the file, and the line that is no JSON
 */
export async function* rowsOf(path: string): AsyncGenerator<Row> {
  const file = createReadStream(path);
  try {
    const { head, all } = await peek(file as AsyncIterable<Buffer>, ({ length }) => length >= parquetMark.length);
    if (head.subarray(0, parquetMark.length).equals(parquetMark)) yield* parquetRows(path);
    else yield* jsonRows(path, head[0] === 0x1f && head[1] === 0x8b ? unzipped(all) : all);
  } catch (error) {
    if (ThinkTreeError.isInstance(error)) throw error;
    throw invalid(`cannot read ${path}: ${(error as Error).message}`);
  } finally {
    file.destroy();
  }
}

const parquetMark = Buffer.from("PAR1");
const byteOrderMark = /^\ufeff/;

async function* jsonRows(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Row> {
  const { head, all } = await peek(chunks, (head) => firstLetter(head) !== undefined);
  if (firstLetter(head) === "[") {
    const parts: Buffer[] = [];
    for await (const part of all) parts.push(part);
    const records = parse(Buffer.concat(parts).toString("utf8"), path) as unknown[];
    for (const [i, value] of records.entries()) yield { value: plain(value), place: `${path}, record ${i + 1}` };
    return;
  }
  for await (const { text, number } of linesOf(all)) {
    if (text.replace(byteOrderMark, "").trim() === "") continue;
    const place = `${path}:${number}`;
    yield { value: plain(parse(text, place)), place };
  }
}

function firstLetter(head: Buffer): string | undefined {
  return /[^\s\ufeff]/.exec(head.toString("utf8"))?.[0];
}

function parse(text: string, place: string): unknown {
  try {
    return JSON.parse(text.replace(byteOrderMark, ""));
  } catch (error) {
    const expected = "expected JSON lines, a JSON array, or Parquet";
    throw invalid(`${place} is not JSON (${(error as Error).message}): ${expected}`);
  }
}

async function* parquetRows(path: string): AsyncGenerator<Row> {
  // They take a tenth of a second, which other files and commands need not wait for.
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  assertWhole(metadata, parquetSchema(metadata), file.byteLength);
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    const records = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
    for (const record of records) yield { value: plain(record), place: `${path}, record ${++rowStart}` };
  }
}

/** Else the reader would leave columns that it has begun to fail unseen, which ends a process. */
function assertWhole({ row_groups }: FileMetaData, schema: SchemaTree, byteLength: number): void {
  for (const { columns } of row_groups) {
    const chunks = columns.map(({ meta_data }) => meta_data);
    const distinct = new Set(chunks.map((chunk) => JSON.stringify(chunk?.path_in_schema)));
    const whole = (chunk: ColumnMetaData | undefined) =>
      chunk !== undefined && isLeaf(schema, chunk.path_in_schema) && isInside(chunk, byteLength);
    if (distinct.size < chunks.length || !chunks.every(whole)) throw new Error("its columns are not where it says");
  }
}

/** Broken metadata may lack any of these numbers, whatever their types say. */
function isInside(chunk: ColumnMetaData, byteLength: number): boolean {
  const { dictionary_page_offset, data_page_offset, total_compressed_size } = chunk;
  const from = Number(dictionary_page_offset ?? data_page_offset);
  return from >= 0 && from + Number(total_compressed_size) <= byteLength && Number(data_page_offset) >= 0;
}

function isLeaf(schema: SchemaTree, path: readonly string[]): boolean {
  let node: SchemaTree | undefined = schema;
  for (const name of path) node = node?.children.find(({ element }) => element.name === name);
  return node?.children.length === 0;
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== null && part !== undefined)
      .map(([key, part]) => [key, plain(part)]),
  );
}

function unzipped(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return pipeline(Readable.from(chunks), createGunzip(), () => undefined); // who reads it is told of errors
}

/** All of the chunks, and a first one that is enough, or all that there is. */
async function peek(chunks: AsyncIterable<Buffer>, enough: (head: Buffer) => boolean) {
  const rest = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (!enough(head)) {
    const next = await rest.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    yield* { [Symbol.asyncIterator]: () => rest };
  }
  return { head, all: all() };
}

function invalid(message: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", message);
}
