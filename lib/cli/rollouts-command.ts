/**
 * `thinktree rollouts`: labels the steps of sampled solutions by how often they still lead to the right answer.
 *
 * Owns: its flags and help, where the labels and the paid work are kept.
 * Must not know: how steps are rolled out, how the page looks.
 */
import { rm } from "node:fs/promises";
import { Command } from "commander";

import { readQuestions, type Question } from "../evaluation/questions.js";
import { labelSteps, stepLabelsOf, type LabelledQuestion, type LabelOptions } from "../training/label-steps.js";
import { addGraderFlag, graderOf, gradersHelp, type GraderFlags } from "./grader-flag.js";
import type { Interruption } from "./interruption.js";
import { grouped, paperOf } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { addQueueFlags, coordinatorFlags, Workers, type QueueFlags } from "./queue-flag.js";
import { addRemoteFlags, engineSource, openEngine, type RemoteFlags } from "./remote-flags.js";
import { rolloutsView } from "./rollouts-view.js";
import { addModelFlags, addSamplingFlags, type ModelFlags, type SamplingFlags } from "./search-flags.js";
import { wholeNumber } from "./values.js";
import { assertWritable, writeWhole } from "./whole-file.js";

interface RolloutsFlags extends GraderFlags, SamplingFlags, ModelFlags, RemoteFlags, QueueFlags {
  readonly questions: string;
  readonly out: string;
  readonly solutions: number;
  readonly rollouts: number;
  readonly temperature?: number;
  readonly limit?: number;
  readonly seed: number;
  readonly journal?: string;
}

const help = `
Examples:
  $ thinktree rollouts --questions train.jsonl --generator qwen.gguf
  $ thinktree rollouts --questions train.jsonl --solutions 4 --rollouts 8
    --out labels.jsonl
  $ thinktree evaluate --verifier prm.gguf --processbench labels.jsonl

The questions are {"question", "answer"}, or of any layout that evaluate takes.
From the end of each step of each solution so many more are sampled to their ends,
and graded; the last step's label is whether the solution itself is right. The
figures of Snell et al. 2024 (16 and 16) are the defaults.
${gradersHelp}

What is written: JSON lines, one a solution, as TRL's PRMTrainer and
evaluate --processbench read them. A solution that was sampled more than once is
there once; one without an answer is left out.
  id           the question's
  prompt       the question
  completions  its steps, without the delimiter that ends them
  labels       whether any of the step's rollouts ends right (Math-Shepherd's
               hard estimation)
  values       the share of them that does (soft estimation)
  right        how many do, and of how many (the last step's one is the
  rollouts     solution itself)
  answer       what the solution answers, and whether that is right
  correct
  drawn        how many of the samples are this solution
  seed         the run's
  cost         {promptTokens, generatedTokens, coalescedTokens} of the question,
               all its solutions together

Ctrl-C, or a power cut, loses no question that is finished: the same command goes
on from the journal. With --redis, the workers of docs/jobs.md do the questions.`;

export function rolloutsCommand(interruption: Interruption): Command {
  const command = new Command("rollouts")
    .summary("label solution steps by rollouts, to train or test a verifier on")
    .description(
      "Samples solutions, and from each of their steps more, to tell how often it still leads to the answer.",
    )
    .configureHelp({ optionDescription: ({ description }) => description }) // they say defaults and choices themselves
    .optionsGroup("Work:")
    .requiredOption("--questions <file>", "with their answers: JSON lines, JSON or Parquet")
    .option("--out <file.jsonl>", "the labelled solutions (default: rollouts.jsonl)", "rollouts.jsonl")
    .option("--solutions <count>", "sampled of each question (default: 16)", wholeNumber(1, 65_536), 16)
    .option("--rollouts <count>", "sampled from each of their steps (default: 16)", wholeNumber(1, 65_536), 16)
    .option("--limit <count>", "only the first questions", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--seed <number>", "of all choices (default: 1)", wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option("--journal <file.jsonl>", "paid work (default: beside the labels, deleted when they are written)");
  addSamplingFlags(addGraderFlag(command), "0.8");
  return addQueueFlags(addGeneratorFlags(command))
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((flags: RolloutsFlags) => run(flags, interruption));
}

/** No verifier is asked. */
function addGeneratorFlags(command: Command): Command {
  const { options } = addRemoteFlags(addModelFlags(new Command()));
  for (const option of options) if (!/verifier/i.test(option.attributeName())) command.addOption(option);
  return command;
}

async function run(flags: RolloutsFlags, interruption: Interruption): Promise<void> {
  const { out, solutions, rollouts, temperature, topK, topP, minP, seed } = flags;
  const journal = flags.journal ?? `${out}.journal.jsonl`;
  const source = await engineSource({ ...coordinatorFlags(flags), verifier: false }, undefined);
  const questions = await readQuestions(flags.questions, flags.limit);
  await assertWritable(out);
  const progress = new ProgressView(process.stderr);
  await using grader = graderOf(flags, questions);
  await using engine = await openEngine(source, progress, interruption);
  const workers = new Workers(flags);
  const run = workers.options({ engine, grader });
  const execute = run && (await import("../jobs/runs.js")).rolloutsByWorkers(run);
  const how = { solutions, rollouts, sampling: { temperature, topK, topP, minP }, seed };
  let done = 0;
  const kept = () => `${grouped(done)} of ${grouped(questions.length)} questions are done and kept in ${journal}`;
  const labelled = await interruption.duringKeptWork(kept, (signal) =>
    progress.duringParts("rolling out", (tell) =>
      labelSteps(engine, questions, {
        ...how,
        ...{ journal, grader, signal, execute },
        onProgress: (parts) => {
          done = parts.done;
          tell({ ...parts, note: () => workers.note() });
        },
      }),
    ),
  );
  await writeWhole(out, linesOf(questions, labelled, how));
  if (flags.journal === undefined) await rm(journal, { force: true });
  process.stdout.write(`${rolloutsView(labelled, how, out, paperOf(process.stdout)).join("\n")}\n`);
}

function* linesOf(
  questions: readonly Question[],
  labelled: readonly LabelledQuestion[],
  how: Pick<LabelOptions, "rollouts" | "seed">,
): Generator<string> {
  for (const [i, question] of questions.entries()) {
    for (const record of stepLabelsOf(question, labelled[i]!, how)) yield `${JSON.stringify(record)}\n`;
  }
}
