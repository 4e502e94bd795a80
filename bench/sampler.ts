/**
 * The native sampler against simpler ones: builds and runs bench/native.
 *
 * Owns: the call. Must not know: samplers.
 */
import { spawnSync } from "node:child_process";

import { warnIfBusy } from "./support/machine-load.js";
import { buildNative } from "./support/native-binary.js";

export async function sampler(): Promise<void> {
  await warnIfBusy();
  const { status } = spawnSync(buildNative("native_bench"), { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`native_bench failed: exit code ${status}`);
}
