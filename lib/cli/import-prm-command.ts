/**
 * `thinktree import-prm`: a process reward model from a Hugging Face folder.
 *
 * Owns: its flags and help, and what is printed.
 * Must not know: file formats.
 */
import { Command, Option } from "commander";

import type { WeightFormat } from "../engine/weights.js";
import { recipeNames, type RecipeName } from "../models/heads.js";
import { importPrm } from "../models/import-prm.js";
import { filesOf } from "../models/with-head.js";
import type { Interruption } from "./interruption.js";
import { ProgressView } from "./progress-view.js";
import { assertWritable } from "./whole-file.js";

interface ImportFlags {
  readonly out: string;
  readonly type: TypeName;
  readonly recipe?: RecipeName;
}

const types = {
  ...{ f32: "F32", f16: "F16", bf16: "BF16" },
  ...{ q8_0: "Q8_0", q6_k: "Q6_K", q5_k: "Q5_K", q4_k: "Q4_K", q4_0: "Q4_0" },
} as const satisfies Record<string, WeightFormat>;
type TypeName = keyof typeof types;

const help = `
Examples:
  $ thinktree import-prm Qwen2.5-Math-PRM-7B --out qwen-prm --type q8_0
  $ thinktree import-prm math-shepherd-mistral-7b-prm --out shepherd
    --recipe math-shepherd

The folder is a checkpoint as it is downloaded: config.json, tokenizer.json,
tokenizer_config.json, model.safetensors or its shards with their index; of the
Qwen2, Llama or Mistral family. NAME.gguf is the backbone, which any llama.cpp
reads, and NAME.head.gguf beside it the head, if the model has one. The weights
are read a piece at a time, so the model may be larger than the memory.

Recipes: how the model is asked. A head tells its own:
  qwen2.5-math-prm, skywork-o1, reasoneval, trl (token classification),
  orm (one reward for a whole solution).
A plain language model needs --recipe:
  math-shepherd, rlhflow, eurus-prm, genprm, thinkprm.

Types: of the matrices; q8_0 takes half of f16's room at hardly any loss, q4_k a
quarter. With q5 and q4 the embeddings and logits get q6_k; what a type does
not fit gets the next better one.

Exit codes:
  0    the files are written
  1    an unexpected error
  2    a wrong flag, or a checkpoint that is broken or of another kind
  130  Ctrl-C (143: SIGTERM) came first; nothing was written`;

export function importPrmCommand(interruption: Interruption): Command {
  return new Command("import-prm")
    .summary("make GGUF of a process reward model")
    .description("Turns a Hugging Face checkpoint of a process reward model into GGUF files for --verifier.")
    .configureHelp({ optionDescription: ({ description }) => description })
    .argument("<folder>", "the checkpoint")
    .requiredOption("--out <name>", "write NAME.gguf, and NAME.head.gguf for a head")
    .addOption(
      new Option("--type <type>", `${Object.keys(types).join(", ")} (default: f16)`)
        .choices(Object.keys(types))
        .default("f16"),
    )
    .addOption(new Option("--recipe <name>", "how it is asked, see below").choices(recipeNames))
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((folder: string, flags: ImportFlags) => run(folder, flags, interruption));
}

async function run(folder: string, { out, type, recipe }: ImportFlags, interruption: Interruption): Promise<void> {
  await assertWritable(filesOf(out).model);
  const progress = new ProgressView(process.stderr);
  const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);
  const imported = await interruption.duringLostWork((signal) =>
    progress.duringParts("importing, MiB", (tell) =>
      importPrm(folder, {
        ...{ out, type: types[type], recipe, signal },
        onProgress: ({ done, total }) =>
          tell({ done: mebibytes(done), total: mebibytes(total), remainingMs: null, note: "" }),
      }),
    ),
  );
  const lines = [
    imported.backbone,
    ...(imported.head === undefined ? [] : [imported.head]),
    `recipe ${imported.recipe}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
