/**
 * What comes with the package.
 *
 * Owns: where it lies, seen from the compiled command line. Must not know: what it is used for.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);

export const { version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as { version: string };

/** An embedded model, or questions for one. */
export function embedded(name: string): string {
  return fileURLToPath(new URL(`models/${name}`, root));
}
