/**
 * `thinktree evaluate --processbench`: a verifier over solutions whose first wrong step is known.
 *
 * Owns: its own flags and help, which models are loaded for it.
 * Must not know: the protocol, how the page looks, searches.
 */
import { basename } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";

import { ThinkTreeError } from "../errors.js";
import { readJudgedSolutions, type JudgedSolution } from "../evaluation/data-sets/judged-solutions.js";
import {
  assertTunable,
  averageF1,
  bestThreshold,
  predictedError,
  processBenchFigures,
} from "../evaluation/process-bench.js";
import { scoreSteps, scoringRunOf } from "../evaluation/score-steps.js";
import { Engine } from "../scheduler/engine.js";
import { evaluateVerifierView } from "./evaluate-verifier-view.js";
import type { Interruption } from "./interruption.js";
import { loadModels } from "./models.js";
import { journalName } from "./journal-name.js";
import { grouped, paperOf } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { coordinatorFlags, Workers, type QueueFlags } from "./queue-flag.js";
import { engineOptions, hasVerifier, type ModelFlags } from "./search-flags.js";
import { decimal } from "./values.js";
import { writeWhole } from "./whole-file.js";

export interface VerifierFlags extends ModelFlags, QueueFlags {
  readonly processbench: readonly string[];
  readonly threshold?: number;
  readonly tuneThreshold?: string;
  readonly limit?: number;
  readonly journal?: string;
  readonly out?: string;
  readonly json?: true;
}

const usualThreshold = 0.5;

/** Flags of `evaluate` that mean something to it. */
const itsFlags: ReadonlySet<string> = new Set([
  ...["processbench", "threshold", "tuneThreshold", "limit", "journal", "out", "json", "help"],
  ...["generator", "verifier", "verifierLora", "verifierRecipe", "verifierReference", "verifierVotes", "cacheFolder"],
  ...["kvCells", "kvMib", "kvType", "threads", "gpuLayers", "redis", "queue"],
]);

export const processBenchHelp = `
ProcessBench (Zheng et al. 2024): does the verifier find the first wrong step?
  $ thinktree evaluate --verifier prm.gguf --processbench gsm8k.json math.json
    --tune-threshold gsm8k.json
  Solutions with {"problem", "steps", "label"}, the label being the index of the
  first wrong step or -1, or PRM800K's layout, or TRL's {"prompt",
  "completions", "labels"}. Predicted is the first step scored below the
  threshold. Printed, file by file, with 95% intervals (bootstrap over
  solutions): the share of erroneous solutions of which just that step is
  predicted, the share of correct ones in which none is, their harmonic mean
  F1, and the mean of all files' F1. With --json, one object:
    verifier, recipe, threshold, tunedOn (a file or null), journal,
    files       [{file, solutions, erroneous, unscored, errorAccuracy,
                 correctAccuracy, f1}], null where there are no such solutions
    averageF1   {mean, low, high}
  --out writes the same with records [{file, id, firstError, predicted,
  scores}]. The journal has scores alone: other thresholds and more files of
  the same verifier go on from it. --limit takes as many from each file, evenly
  spread. The generator is not asked.`;

export function addProcessBenchFlags(command: Command): Command {
  return command
    .optionsGroup("Or a verifier alone:")
    .addOption(new Option("--processbench <file...>", "solutions with judged steps, see below"))
    .addOption(
      new Option("--threshold <score>", "a step scored below it is predicted to be wrong (default: 0.5)")
        .argParser(decimal("a number from 0 to 1", (value) => value >= 0 && value <= 1))
        .conflicts(["questions", "tuneThreshold"]),
    )
    .addOption(
      new Option("--tune-threshold <file>", "take the threshold of best F1 on this file (the paper: on GSM8K's part)")
        .argParser(fileName)
        .conflicts("questions"),
    );
}

/** To be called when the command has all of its flags. */
export function refuseOthersWithProcessBench({ options }: Command): void {
  const others = options.map((option) => option.attributeName()).filter((name) => !itsFlags.has(name));
  options.find((option) => option.attributeName() === "processbench")!.conflicts(others);
}

interface JudgedFile {
  readonly file: string;
  readonly solutions: readonly JudgedSolution[];
}

export async function evaluateVerifier(flags: VerifierFlags, interruption: Interruption): Promise<void> {
  if (!hasVerifier(flags)) {
    throw new ThinkTreeError("NO_VERIFIER", "--processbench evaluates a verifier: name one with --verifier FILE.gguf");
  }
  const { tuneThreshold, limit } = flags;
  const processbench = [...new Set(flags.processbench)];
  const names = [...new Set([...processbench, ...(tuneThreshold === undefined ? [] : [tuneThreshold])])];
  const files = await Promise.all(
    names.map(async (file) => ({ file, solutions: await readJudgedSolutions(file, limit) })),
  );
  if (tuneThreshold !== undefined) assertTunable(files.find(({ file }) => file === tuneThreshold)!.solutions);

  const progress = new ProgressView(process.stderr);
  // The verifier's file writes the steps down, too: it has room for them wherever the verifier has. Its weights are there once.
  const generator = flags.generator ?? (flags.verifier === false ? undefined : flags.verifier);
  const options = engineOptions(
    { ...coordinatorFlags(flags), ...(generator !== undefined && { generator }) },
    undefined,
  );
  await using engine = await loadModels(options, (local) => Engine.load(local), progress, interruption);
  const journal = flags.journal ?? journalName("verifier", scoringRunOf(engine));
  const scored = await scoresOf(files, engine, journal, new Workers(flags), progress, interruption);

  const of = (file: string) => scored.get(file)!;
  const threshold =
    tuneThreshold === undefined ? (flags.threshold ?? usualThreshold) : bestThreshold(of(tuneThreshold));
  const { recipe, reading } = engine.models.verifier!;
  const figures = {
    verifier: flags.verifier === undefined || flags.verifier === false ? "embedded" : basename(flags.verifier),
    recipe: recipe["verifier.recipe"] ?? reading ?? null,
    threshold,
    tunedOn: tuneThreshold ?? null,
    journal,
    files: processbench.map((file) => ({ file, ...processBenchFigures(of(file), threshold) })),
    averageF1: averageF1(processbench.map(of), threshold),
  };
  if (flags.out !== undefined) {
    const records = processbench.flatMap((file) =>
      of(file).map(({ id, firstError, scores }) => ({
        ...{ file, id, firstError, predicted: scores && predictedError(scores, threshold), scores },
      })),
    );
    await writeWhole(flags.out, `${JSON.stringify({ ...figures, records })}\n`);
  }
  const lines = flags.json ? [JSON.stringify(figures)] : evaluateVerifierView(figures, paperOf(process.stdout));
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** By file, in the order of its solutions. */
async function scoresOf(
  files: readonly JudgedFile[],
  engine: Engine,
  journal: string,
  workers: Workers,
  progress: ProgressView,
  interruption: Interruption,
) {
  let parts = { done: 0, total: 0 };
  const kept = () => `${grouped(parts.done)} of ${grouped(parts.total)} solutions are scored and kept in ${journal}`;
  const run = workers.options({ engine });
  const execute = run && (await import("../jobs/runs.js")).scoringByWorkers(run);
  const solutions = files.flatMap(({ solutions }) => solutions);
  const scores = await interruption.duringKeptWork(kept, (signal) =>
    progress.duringParts("scoring", (tell) =>
      scoreSteps({
        ...{ engine, solutions, journal, signal, execute },
        onProgress: (report) => {
          parts = report;
          tell({ ...report, note: () => workers.note() });
        },
      }),
    ),
  );
  let at = 0;
  return new Map(
    files.map(({ file, solutions }) => [
      file,
      solutions.map(({ id, firstError }) => ({ id, firstError, scores: scores[at++] ?? null })),
    ]),
  );
}

function fileName(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Name a file.");
}
