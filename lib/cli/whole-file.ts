/**
 * Files that are there whole or not at all.
 *
 * Owns: writing beside the place and moving there; telling beforehand that it cannot be. Must not know: what is written.
 */
import { constants } from "node:fs";
import { access, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { ThinkTreeError } from "../errors.js";

/**
 * Whoever reads the file meanwhile finds the old one or the new one, never half of it. A text may come in parts: the whole
 * may be too large for one string.
 * @throws {ThinkTreeError} INVALID_OPTION: it cannot be written there
 */
export async function writeWhole(path: string, text: string | Iterable<string>): Promise<void> {
  try {
    await writeFile(`${path}.part`, text);
    await rename(`${path}.part`, path);
  } catch (error) {
    await rm(`${path}.part`, { force: true });
    throw new ThinkTreeError("INVALID_OPTION", `cannot write ${path}: ${(error as Error).message}`);
  }
}

/**
 * To be asked before minutes of work.
 * @throws {ThinkTreeError} INVALID_OPTION
 */
export async function assertWritable(path: string): Promise<void> {
  const refuse = (why: string) => new ThinkTreeError("INVALID_OPTION", `cannot write ${path}: ${why}`);
  await access(dirname(path), constants.W_OK).catch((error: Error) => {
    throw refuse(error.message);
  });
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory()) throw refuse("it is a folder");
}
