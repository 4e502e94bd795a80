/**
 * Executables of bench/native, made in the addon's build folder.
 *
 * Owns: building one and finding it. Must not know: what it does.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { root } from "./folders.js";

/** Its path. @throws {Error} if it cannot be built */
export function buildNative(target: "native_bench" | "step_bench"): string {
  const build = join(root, "build");
  const { status, error } = spawnSync("cmake", ["--build", build, "--target", target], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`${target} was not built: ${error?.message ?? `exit code ${status}`}`);
  // A generator of several configurations puts it into a folder of its own.
  const places = [join(build, target), join(build, "Release", target)];
  const binary = places.find(existsSync);
  if (binary === undefined) throw new Error(`${target} was built, but is not at ${places.join(" or ")}`);
  return binary;
}
