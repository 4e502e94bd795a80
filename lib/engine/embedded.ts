/**
 * The embedded models, which have a package of their own.
 *
 * Owns: where they lie. Must not know: what they are for.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { ThinkTreeError } from "../errors.js";

/** @throws {ThinkTreeError} MODEL_LOAD_FAILED: they are not installed */
export function embeddedModel(name: string): string {
  const own = fileURLToPath(new URL(`../../models/${name}.gguf`, import.meta.url)); // in the repository
  if (existsSync(own)) return own;
  try {
    return createRequire(import.meta.url).resolve(`@thinktree/models/${name}.gguf`);
  } catch (cause) {
    const mend = 'name a generator, or "npm install @thinktree/models"';
    throw new ThinkTreeError("MODEL_LOAD_FAILED", `the embedded model ${name} is not installed: ${mend}`, { cause });
  }
}
