/**
 * Where the tests find real models.
 *
 * THINKTREE_TEST_MODELS names another folder with the files of models/. Tests that need them skip while there are none.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export interface EmbeddedModels {
  readonly generator: string;
  readonly verifier: string;
  /** JSON lines: id, question, answer, pass1. */
  readonly heldOut: string;
}

const own = fileURLToPath(new URL("../../models/", import.meta.url));

/** Absolute paths; undefined while a file is missing. */
export function embeddedModels(): EmbeddedModels | undefined {
  const folder = resolve(process.env["THINKTREE_TEST_MODELS"] ?? own);
  const models = {
    generator: join(folder, "tiny-generator.gguf"),
    verifier: join(folder, "tiny-strong.gguf"),
    heldOut: join(folder, "heldout.jsonl"),
  };
  return Object.values(models).every((file) => existsSync(file)) ? models : undefined;
}
