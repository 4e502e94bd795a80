/**
 * `thinktree build`: the addon from source, where no published binary fits or another one is wanted.
 *
 * Owns: its flags and help. Must not know: how it is built (scripts/build-native.mjs does).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";

import { Command } from "commander";

import { ownFile } from "./package-files.js";

interface BuildFlags {
  readonly cuda?: true;
  readonly vulkan?: true;
  readonly metal?: true;
}

const help = `
Needs a C++20 compiler, cmake, make or ninja, and git; --cuda the CUDA toolkit.
It fetches llama.cpp's source, is at work for some minutes, and takes the
place of the published binary until thinktree is installed anew.

Exit codes:
  0    built
  1    not: the output says why
  2    a wrong flag`;

export function buildCommand(): Command {
  return new Command("build")
    .summary("build the native addon from source, for this machine")
    .description("Builds the native addon from source, with every instruction that this machine has.")
    .option("--cuda", "for NVIDIA's GPUs")
    .option("--vulkan", "for GPUs with Vulkan")
    .option("--metal", "for Apple's GPUs")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action(run);
}

async function run(flags: BuildFlags): Promise<void> {
  const backends = (["cuda", "vulkan", "metal"] as const).filter((name) => flags[name]).map((name) => `--${name}`);
  const child = spawn(process.execPath, [ownFile("scripts/build-native.mjs"), ...backends], { stdio: "inherit" });
  const [code] = (await once(child, "close")) as [number | null];
  process.exitCode = code === 0 ? 0 : 1;
}
