/**
 * The native sampler against simpler ones: builds and runs bench/native.
 *
 * Owns: the call. Must not know: samplers.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { root } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";

export async function sampler(): Promise<void> {
  await warnIfBusy();
  const build = join(root, "build");
  run("cmake", ["--build", build, "--target", "native_bench"], "ignore");
  // A generator of several configurations puts it into a folder of its own.
  const places = [join(build, "native_bench"), join(build, "Release", "native_bench")];
  const binary = places.find(existsSync);
  if (binary === undefined) throw new Error(`native_bench was built, but is not at ${places.join(" or ")}`);
  run(binary, [], "inherit");
}

function run(command: string, args: string[], stdout: "ignore" | "inherit"): void {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", stdout, "inherit"] });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? `exit code ${status}`}`);
}
