/**
 * `thinktree reproduce`: the paper's experiments on the embedded models, as one HTML page.
 *
 * Owns: its flags; where the page and the paid work are kept.
 * Must not know: what is measured, how the page looks.
 */
import { mkdir, rm } from "node:fs/promises";
import { Command, Option } from "commander";

import { embeddedModel } from "../engine/embedded.js";
import { readQuestions } from "../evaluation/questions.js";
import { mathGrader } from "../grading/math-grader.js";
import type { Verdict } from "../report/data.js";
import { full, quick } from "../report/experiments.js";
import type { Interruption } from "./interruption.js";
import { heldOutQuestions, version } from "./package-files.js";
import { paperOf } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { wholeNumber } from "./values.js";
import { writeWhole } from "./whole-file.js";

interface ReproduceFlags {
  readonly full?: true;
  readonly limit?: number;
  readonly out: string;
  readonly seed: number;
}

const help = `
Runs the experiments of Snell et al. 2024 (arXiv 2408.03314) on the embedded models
and held-out questions: search methods against budget and by difficulty, revisions,
compute-optimal against best-of-N, and a larger model at equal FLOPs. Writes one
page that needs no network, with every figure's data, and says of each of the
paper's findings whether it was reproduced here.

About 3 minutes on 2 cores; --full, with six times the questions, about 12. Ctrl-C
loses nothing: the same command goes on where it was.`;

export function reproduceCommand(interruption: Interruption): Command {
  return new Command("reproduce")
    .summary("repeat the paper's experiments, as an HTML report")
    .description("Repeats the paper's experiments on the embedded models and writes an HTML report.")
    .configureHelp({ optionDescription: ({ description }) => description })
    .option("--full", "more questions and more methods: smaller intervals")
    .option("--out <file.html>", "the report (default: reproduction.html)", "reproduction.html")
    .option("--seed <number>", "of all searches (default: 1)", wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .addOption(new Option("--limit <count>", "of the questions").argParser(wholeNumber(10, 510)).hideHelp())
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((flags: ReproduceFlags) => run(flags, interruption));
}

async function run({ full: large, limit, out, seed }: ReproduceFlags, interruption: Interruption): Promise<void> {
  // What draws takes longer to load than the rest of the program.
  const [{ reproduce }, { renderReport }] = await Promise.all([
    import("../report/reproduce.js"),
    import("../report/html.js"),
  ]);
  const usual = large ? full : quick;
  const scale = { ...usual, questions: limit ?? usual.questions };
  const folder = `${out}.work`;
  const questions = await readQuestions(heldOutQuestions, scale.questions);
  await mkdir(folder, { recursive: true });
  const progress = new ProgressView(process.stderr);
  await using grader = mathGrader();
  const models = {
    generator: embeddedModel("tiny-generator"),
    verifier: embeddedModel("tiny-strong"),
    reviser: embeddedModel("tiny-reviser"),
    large: embeddedModel("tiny-large"),
  };
  const kept = () => `what is done is kept in ${folder}`;
  const report = await interruption.duringKeptWork(kept, (signal) =>
    progress.duringParts("experiments", (tell) =>
      reproduce({
        ...{ models, questions, scale, seed, folder, grader, signal, version },
        command: `npx thinktree reproduce${large ? " --full" : ""}${seed === 1 ? "" : ` --seed ${seed}`}`,
        date: new Date().toISOString().slice(0, 10),
        onProgress: (parts) => tell({ ...parts, note: "" }),
      }),
    ),
  );
  await writeWhole(out, renderReport(report));
  await rm(folder, { recursive: true });

  const { colors } = paperOf(process.stdout);
  const paint: Record<Verdict, (text: string) => string> = {
    reproduced: colors.green,
    "not reproduced": colors.red,
    "unclear here": colors.yellow,
  };
  const lines = report.findings.flatMap(({ claim, verdict, evidence }) => [
    `  ${paint[verdict](verdict.padEnd(15))} ${claim}`,
    `  ${"".padEnd(15)} ${colors.dim(evidence)}`,
  ]);
  process.stdout.write(`${["", ...lines, "", `  The report is in ${out}`, ""].join("\n")}\n`);
}
