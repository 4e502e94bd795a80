/**
 * `thinktree calibrate`: fits a policy to the models at hand.
 *
 * Owns: its flags, where the policy and the paid work are kept, what is shown of it.
 * Must not know: how a policy is fitted.
 */
import { rm } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";

import { readQuestions } from "../evaluation/questions.js";
import { calibrate, type CalibrateOptions } from "../training/calibrate.js";
import { addGraderFlag, graderOf, gradersHelp, type GraderFlags } from "./grader-flag.js";
import type { Interruption } from "./interruption.js";
import { grouped, paperOf } from "./paper.js";
import { policyView } from "./policy-view.js";
import { ProgressView } from "./progress-view.js";
import { addQueueFlags, coordinatorFlags, Workers, type QueueFlags } from "./queue-flag.js";
import { addRemoteFlags, engineSource, openEngine, type RemoteFlags } from "./remote-flags.js";
import { addModelFlags, type ModelFlags } from "./search-flags.js";
import { decimal, wholeNumber, wholeNumbers } from "./values.js";
import { writeWhole } from "./whole-file.js";

interface CalibrateFlags extends GraderFlags, ModelFlags, RemoteFlags, QueueFlags {
  readonly questions: string;
  readonly out: string;
  readonly budgets: readonly number[];
  readonly bins: CalibrateOptions["bins"];
  readonly probes: number;
  readonly temperature?: number;
  readonly tolerance: number;
  readonly limit?: number;
  readonly seed: number;
  readonly journal?: string;
}

const help = `
Examples:
  $ thinktree calibrate --questions train.jsonl --budgets 1,4,16,64
  $ thinktree calibrate --questions train.jsonl --generator qwen.gguf
    --verifier prm.gguf --out qwen.policy.json
  $ thinktree solve "..." --policy qwen.policy.json

${gradersHelp.trimStart()}

The questions are {"question", "answer"}, or of any layout that evaluate takes; a few
hundred that are not those you will measure on. Every one is sampled once to the
largest budget and searched at each: the budgets' sum, times about four, is what a
question costs in solutions. Ctrl-C, or a power cut, loses nothing that is paid for:
the same command goes on from the journal, and ends with the same policy. With
--redis, the workers of docs/jobs.md do the runs.`;

export function calibrateCommand(interruption: Interruption): Command {
  const command = new Command("calibrate")
    .summary("fit a compute-optimal policy to your models")
    .description(
      "Finds, for each difficulty and budget, the strategy that answers best, and writes it down for solve and serve.",
    )
    .configureHelp({ optionDescription: ({ description }) => description })
    .requiredOption("--questions <file>", "with their answers: JSON lines, JSON or Parquet")
    .option("--out <file.json>", "the policy (default: policy.json)", "policy.json")
    .option("--budgets <list>", "in generations (default: 1,4,16,64)", wholeNumbers(1, 65_536), [1, 4, 16, 64])
    .option("--bins <how>", "a number of equal bins, or upper edges such as 0.5,0.9,1 (default: 5)", binning, 5)
    .option("--probes <count>", "samples that difficulty is estimated from (default: 4)", wholeNumber(1, 64), 4)
    .option(
      "--temperature <t>",
      "that all is sampled at, from then on (default: 0.8)",
      decimal("a number from 0 to 100", (t) => t >= 0 && t <= 100),
    )
    .option(
      "--tolerance <accuracy>",
      "that may be given up for fewer tokens (default: 0.01)",
      decimal("a number from 0 to 1", (value) => value >= 0 && value <= 1),
      0.01,
    )
    .option("--limit <count>", "only the first questions", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--seed <number>", "of all searches (default: 1)", wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option("--journal <file.jsonl>", "paid work (default: beside the policy, deleted when it is written)");
  return addQueueFlags(addRemoteFlags(addModelFlags(addGraderFlag(command))))
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((flags: CalibrateFlags) => run(flags, interruption));
}

async function run(flags: CalibrateFlags, interruption: Interruption): Promise<void> {
  const { out, budgets, bins, probes, temperature, tolerance, seed } = flags;
  const journal = flags.journal ?? `${out}.journal.jsonl`;
  const questions = await readQuestions(flags.questions, flags.limit);
  const source = await engineSource(coordinatorFlags(flags), undefined);
  const progress = new ProgressView(process.stderr);
  await using grader = graderOf(flags, questions);
  await using engine = await openEngine(source, progress, interruption);
  const workers = new Workers(flags);
  const run = workers.options({ engine, grader });
  const execute = run && (await import("../jobs/runs.js")).calibrationByWorkers(run);
  let runs = { done: 0, total: 0 };
  const kept = () => `${grouped(runs.done)} of ${grouped(runs.total)} runs are done and kept in ${journal}`;
  const policy = await interruption.duringKeptWork(kept, (signal) =>
    progress.duringParts("calibrating", (tell) =>
      calibrate(engine, questions, {
        ...{ budgets, bins, probes, temperature, tolerance, seed, journal, grader, signal, execute },
        onProgress: (parts) => {
          runs = parts;
          tell({ ...parts, note: () => workers.note() });
        },
      }),
    ),
  );
  await writeWhole(out, `${JSON.stringify(policy, null, 1)}\n`);
  if (flags.journal === undefined) await rm(journal, { force: true });
  process.stdout.write(`${policyView(policy, out, paperOf(process.stdout)).join("\n")}\n`);
}

function binning(text: string): CalibrateOptions["bins"] {
  if (/^\d+$/.test(text)) return wholeNumber(1, 100)(text);
  const edges = text.split(",").map(Number);
  const rising = edges.every((edge, i) => edge > (edges[i - 1] ?? 0));
  if (rising && edges.at(-1) === 1) return edges;
  throw new InvalidArgumentError("Use a number of bins, or rising edges that end in 1, such as 0.5,0.9,1.");
}
