/**
 * What scripts/build-rivals.mjs builds.
 *
 * Owns: where it is. Must not know: what it does.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { root } from "./folders.js";

type Name = "llama-server" | "replay_bench";

/** @throws {Error} if it is not built */
export function rivalBinary(name: Name): string {
  const binary = builtRival(name);
  if (binary === undefined) throw new Error(`${name} is not built: node scripts/build-rivals.mjs (minutes)`);
  return binary;
}

/** Undefined if it is not built. THINKTREE_TEST_SERVER names a llama-server that lies elsewhere. */
export function builtRival(name: Name): string | undefined {
  const folder = join(root, "build", "rivals");
  const named = name === "llama-server" ? process.env["THINKTREE_TEST_SERVER"] : undefined;
  return named ?? [join(folder, name), join(folder, "bin", name)].find(existsSync);
}
