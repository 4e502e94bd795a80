/**
 * Files that are there whole or not at all.
 *
 * Owns: writing beside the place and moving there. Must not know: what is written.
 */
import { rename, writeFile } from "node:fs/promises";

/** Whoever reads the file meanwhile finds the old one or the new one, never half of it. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}
