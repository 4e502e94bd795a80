/**
 * `thinktree import-lora`: a LoRA of PEFT's, as an adapter.
 *
 * Owns: its flags and help, and what is printed.
 * Must not know: file formats.
 */
import { Command } from "commander";

import { inspectModel } from "../engine/inspect-model.js";
import { importLora } from "../models/import-lora.js";
import { filesOf } from "../models/with-head.js";
import type { Interruption } from "./interruption.js";
import { ProgressView } from "./progress-view.js";
import { assertWritable } from "./whole-file.js";

interface ImportFlags {
  readonly base: string;
  readonly out: string;
}

const help = `
Example:
  $ thinktree import-lora my-prm-lora --base qwen.gguf --out my-prm-lora.gguf
  $ thinktree solve "..." --generator qwen.gguf
    --verifier qwen.gguf --verifier-lora my-prm-lora.gguf

The folder is as PEFT saves it: adapter_config.json, adapter_model.safetensors.
The base is the GGUF of the model that it was trained on, of the Qwen2, Llama or
Mistral family, in any quantisation. Numbers keep their format. What an adapter
cannot say (DoRA, trained norms, ...) is refused. A reward head that was trained
with it goes beside it, to NAME.head.gguf, and its recipe into the adapter: a
verifier with this adapter is read by them.

Exit codes:
  0    the file is written
  1    an unexpected error
  2    a wrong flag, or an adapter that is broken or of another kind
  130  Ctrl-C (143: SIGTERM) came first; nothing was written`;

export function importLoraCommand(interruption: Interruption): Command {
  return new Command("import-lora")
    .summary("make a GGUF adapter of a LoRA")
    .description("Turns a LoRA, as PEFT saves it, into a GGUF file for --verifier-lora and --generator-lora.")
    .argument("<folder>", "the LoRA")
    .requiredOption("--base <file.gguf>", "the model that it was trained on")
    .requiredOption("--out <name>", "write NAME.gguf, and NAME.head.gguf for a head")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((folder: string, flags: ImportFlags) => run(folder, flags, interruption));
}

async function run(folder: string, { base, out }: ImportFlags, interruption: Interruption): Promise<void> {
  await assertWritable(filesOf(out).model);
  const progress = new ProgressView(process.stderr);
  const { adapter, head, recipe } = await interruption.duringLostWork((signal) =>
    progress.during("importing", async () => importLora(folder, { base: await inspectModel(base), out, signal })),
  );
  process.stdout.write(`${[adapter, ...(head === undefined ? [] : [head, `recipe ${recipe}`])].join("\n")}\n`);
}
