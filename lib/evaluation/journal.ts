/**
 * A record of paid work, so that a run killed at any moment goes on where it was.
 *
 * Owns: the file: a line that says which run it belongs to, then one line a record, in the order of appending. A last
 * line that was cut by a kill is dropped on opening.
 * Must not know: what is recorded.
 */
import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";

import { ThinkTreeError } from "../errors.js";
import { linesOf } from "./lines.js";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export class Journal<T> {
  /** Appends in order; once one has failed all later ones fail too, since its line may be half there. */
  private tail: Promise<void> = Promise.resolve();

  private constructor(
    private readonly file: FileHandle,
    private readonly records: Map<string, T>,
  ) {}

  /**
   * Opens the run's journal, or begins it.
   *
   * `run`: plain JSON of everything that the records depend on; two runs with equal ones share their records.
   * @throws {ThinkTreeError} INVALID_OPTION: the file cannot be written, is damaged, or belongs to another run.
   */
  static async open<T>(path: string, run: object): Promise<Journal<T>> {
    const header = headerOf(run);
    const file = await open(path, "a+").catch((error: Error) => {
      throw invalid(`cannot open the journal ${path}: ${error.message}`);
    });
    try {
      const { size } = await file.stat();
      const { records, end } = await read<T>(file, path, header);
      if (end < size) await file.truncate(end);
      if (end === 0) await file.appendFile(header);
      return new Journal(file, records);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get(key: string): T | undefined {
    return this.records.get(key);
  }

  get size(): number {
    return this.records.size;
  }

  /**
   * Records a value for good, as JSON; resolves when it is in the file. Not synced to the disk: a process may die at any
   * moment, a machine that loses power may lose the last records.
   * @throws {ThinkTreeError} INTERNAL: the key has a value. What the file system throws, if the disk is full.
   */
  append(key: string, value: T): Promise<void> {
    if (this.records.has(key)) throw new ThinkTreeError("INTERNAL", `${key} is in the journal already`);
    this.records.set(key, value);
    const line = `${JSON.stringify({ key, value })}\n`;
    this.tail = this.tail.then(() => this.file.appendFile(line));
    return this.tail;
  }

  /** Waits for what is being appended. */
  async close(): Promise<void> {
    await this.tail.catch(() => undefined); // told to who appended
    await this.file.close();
  }
}

const mark = "thinktree journal 1";

function headerOf(run: object): string {
  const plain = canonical(run);
  const hash = createHash("sha256").update(JSON.stringify(plain)).digest("hex");
  return `${JSON.stringify({ journal: mark, hash, run: plain })}\n`;
}

/** What the file holds, and how many of its bytes are whole lines. */
async function read<T>(
  file: FileHandle,
  path: string,
  header: string,
): Promise<{ records: Map<string, T>; end: number }> {
  const records = new Map<string, T>();
  let end = 0;
  for await (const line of linesOf(file.createReadStream({ start: 0, autoClose: false }))) {
    if (line.number === 1) {
      // A file cut in its first line is ours only if what is left is how ours begins.
      if (line.whole) checkHeader(line.text, path, header);
      else if (!header.startsWith(line.text)) throw notAJournal(path);
    }
    if (!line.whole) break;
    end = line.end;
    if (line.number === 1) continue;
    const record = parse(line.text) as { key?: unknown; value?: T } | undefined;
    if (typeof record?.key !== "string" || record.value === undefined) {
      throw invalid(
        `${path}:${line.number} is damaged: delete the lines from there on to redo their work, or the file`,
      );
    }
    records.set(record.key, record.value);
  }
  return { records, end };
}

function checkHeader(text: string, path: string, header: string): void {
  const found = parse(text) as { journal?: unknown; hash?: unknown; run?: Record<string, unknown> } | undefined;
  if (found?.journal !== mark) throw notAJournal(path);
  const own = JSON.parse(header) as { hash: string; run: Record<string, unknown> };
  if (found.hash === own.hash) return;
  const names = new Set([...Object.keys(found.run ?? {}), ...Object.keys(own.run)]);
  const differing = [...names].filter((name) => JSON.stringify(found.run?.[name]) !== JSON.stringify(own.run[name]));
  throw invalid(
    `the journal ${path} belongs to another run (other ${differing.join(", ")}): name another file, or delete it`,
  );
}

/** The same JSON for equal objects, whatever their order of keys. */
function canonical(value: unknown): Json {
  const sorted = (_: string, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return JSON.parse(JSON.stringify(value, sorted)) as Json;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notAJournal(path: string): ThinkTreeError {
  return invalid(`${path} is not a journal: name another file`);
}

function invalid(message: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", message);
}
