/**
 * What scripts/build-rivals.mjs builds.
 *
 * Owns: where it is. Must not know: what it does.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { root } from "./folders.js";

/** @throws {Error} if it is not built */
export function rivalBinary(name: "llama-server" | "replay_bench"): string {
  const folder = join(root, "build", "rivals");
  const places = [join(folder, name), join(folder, "bin", name)];
  const binary = places.find(existsSync);
  if (binary === undefined) throw new Error(`${name} is not built: node scripts/build-rivals.mjs (minutes)`);
  return binary;
}
