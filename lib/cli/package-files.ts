/**
 * What comes with the package.
 *
 * Owns: where it lies, seen from the compiled command line. Must not know: what it is used for.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** `path`: below the package's folder. */
export function ownFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

export const { version } = JSON.parse(readFileSync(ownFile("package.json"), "utf8")) as { version: string };

/** Of the embedded models. */
export const heldOutQuestions = ownFile("models/heldout.jsonl");
