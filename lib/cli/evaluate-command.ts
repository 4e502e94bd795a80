/**
 * `thinktree evaluate`: a strategy over a file of questions with known answers, or a verifier (evaluate-verifier.ts).
 *
 * Owns: its own flags and help; where the journal lies.
 * Must not know: how accuracy is measured, how the page looks.
 */
import { Command } from "commander";

import { ThinkTreeError } from "../errors.js";
import { evaluate, runOf, type EvaluationTask } from "../evaluation/evaluate.js";
import { readQuestions } from "../evaluation/questions.js";
import {
  addProcessBenchFlags,
  evaluateVerifier,
  processBenchHelp,
  refuseOthersWithProcessBench,
  type VerifierFlags,
} from "./evaluate-verifier.js";
import { evaluateView } from "./evaluate-view.js";
import { addGraderFlag, graderOf, gradersHelp, type GraderFlags } from "./grader-flag.js";
import type { Interruption } from "./interruption.js";
import { journalName } from "./journal-name.js";
import { grouped, paperOf } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { addQueueFlags, coordinatorFlags, Workers, type QueueFlags } from "./queue-flag.js";
import { addRemoteFlags, engineSource, openEngine, type RemoteFlags } from "./remote-flags.js";
import {
  addModelFlags,
  addSamplingFlags,
  addStrategyFlags,
  checkStrategyFlags,
  settingsOf,
  strategiesHelp,
  strategyOf,
  type ModelFlags,
  type SamplingFlags,
  type StrategyFlags,
} from "./search-flags.js";
import { wholeNumber } from "./values.js";
import { writeWhole } from "./whole-file.js";

interface EvaluateFlags extends GraderFlags, StrategyFlags, SamplingFlags, ModelFlags, RemoteFlags, QueueFlags {
  readonly questions?: string;
  readonly limit?: number;
  readonly seed: number;
  readonly journal?: string;
  readonly out?: string;
  readonly json?: true;
}

const examples = `
Examples:
  $ thinktree evaluate --questions test.jsonl --strategy beam --n 16
  $ thinktree evaluate --questions test.jsonl --strategy weighted-best-of-n
    --n 64 --out weighted.json
  $ thinktree evaluate --questions test.jsonl --limit 100 --json

Questions, as JSON lines, a JSON array or Parquet, gzipped or not, in any of
these layouts, which are told by their fields:
  {"question": "...", "answer": "42"}                      (also AMC, AIME)
  {"question": "...", "answer": "6 * 7 = 42\\n#### 42"}       (GSM8K)
  {"problem": "...", "solution": "... \\\\boxed{42} ..."}     (MATH, MATH-500)
  {"question": "...", "tests": ["assert f(1) == 2"]}       (programs)
  {"question": "...", "tests": [{"input": "1", "output": "2"}]}
${gradersHelp}
${strategiesHelp}

What is printed:
  The share of right answers with its 95% interval (bootstrap over questions),
  the cost of a question, and for majority, best-of-n and weighted-best-of-n
  what fewer samples would have reached, without bias, from the one run.
  With --json, one object:
    method, seed, questions, journal,
    accuracy    {mean, low, high}, in [0, 1]
    cost        {generations, promptTokens, generatedTokens, coalescedTokens,
                 verifierPromptTokens, verifierTokens, flops, milliseconds},
                of one question
    curve       [{choice, k, accuracy, cost}]; choice "pass": any is right
  --out writes the same with one record a question: records [{id, question,
  reference, subject, level, answer, right, score, finishReason, ...}].
${processBenchHelp}

Whatever is answered or scored is kept in the journal. After Ctrl-C, a crash or
a kill the same command goes on from there, and no work is done twice. With
--redis the workers of docs/jobs.md answer; all else is the same.

Exit codes:
  0    all questions were asked, or all solutions scored
  1    an unexpected error
  2    a wrong flag or file
  130  Ctrl-C (143: SIGTERM) came first`;

export function evaluateCommand(interruption: Interruption): Command {
  const command = new Command("evaluate")
    .summary("measure accuracy and cost over many questions")
    .description(
      "Asks every question of a file and tells how many answers are right, and at what cost; or tells how well a verifier finds wrong steps.",
    )
    .configureHelp({ optionDescription: ({ description }) => description }) // they say defaults and choices themselves
    .optionsGroup("Questions:")
    .option("--questions <file>", "questions with their answers, see below")
    .option("--limit <count>", "only the first so many", wholeNumber(1, Number.MAX_SAFE_INTEGER));
  addGraderFlag(command);
  addProcessBenchFlags(command);
  addStrategyFlags(command);
  addSamplingFlags(command).option(
    "--seed <number>",
    "of all choices (default: 1)",
    wholeNumber(0, Number.MAX_SAFE_INTEGER),
    1,
  );
  addRemoteFlags(addModelFlags(command));
  addQueueFlags(command)
    .optionsGroup("Output:")
    .option("--journal <file>", "keeps what is done (default: thinktree-KIND-HASH.jsonl here, by what is run)")
    .option("--out <file.json>", "write the figures and every answer there")
    .option("--json", "print one JSON object and nothing else")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", examples)
    .action((flags: EvaluateFlags | VerifierFlags) =>
      "processbench" in flags ? evaluateVerifier(flags, interruption) : run(flags, interruption),
    );
  refuseOthersWithProcessBench(command);
  return command;
}

async function run(flags: EvaluateFlags, interruption: Interruption): Promise<void> {
  const { strategy: name, n, seed, topK, topP, minP, temperature } = flags;
  if (flags.questions === undefined) {
    throw new ThinkTreeError("INVALID_OPTION", "name --questions FILE, or --processbench FILE for a verifier");
  }
  const source = await engineSource(coordinatorFlags(flags), name);
  checkStrategyFlags(flags); // mistakes are told before gigabytes are loaded
  const questions = await readQuestions(flags.questions, flags.limit);

  await using grader = graderOf(flags, questions);
  const progress = new ProgressView(process.stderr);
  await using engine = await openEngine(source, progress, interruption);
  const strategy = name && strategyOf(name, flags, engine.models);
  const by = strategy === undefined ? { budget: n } : { strategy };
  const sampling = { temperature, topK, topP, minP };
  const task: EvaluationTask = { engine, questions, seed, grader, solve: { ...by, ...sampling } };
  const journal = flags.journal ?? journalName("evaluate", runOf(task));
  const method = strategy === undefined ? `policy, ${n} generations` : `${strategy.name}, n ${n}`;

  const workers = new Workers(flags);
  const run = workers.options({ engine, grader });
  const execute =
    run &&
    (await import("../jobs/runs.js")).evaluationByWorkers(run, {
      strategy: name === undefined ? null : { name, settings: settingsOf(name, flags, engine.models) },
      solve: { ...(name === undefined && { budget: n }), ...sampling },
    });

  let done = 0;
  const kept = () => `${grouped(done)} of ${grouped(questions.length)} questions are done and kept in ${journal}`;
  const { records, ...summary } = await interruption.duringKeptWork(kept, (signal) =>
    progress.duringParts(method, (tell) =>
      evaluate({
        ...task,
        ...{ journal, signal, execute },
        onProgress: ({ right, ...parts }) => {
          done = parts.done;
          const share = done === 0 ? "" : `${((100 * right) / done).toFixed(1)}% right`;
          tell({ ...parts, note: () => workers.note(share) });
        },
      }),
    ),
  );

  const figures = { method, seed, journal, ...summary };
  if (flags.out !== undefined) await writeWhole(flags.out, `${JSON.stringify({ ...figures, records })}\n`);
  const lines = flags.json ? [JSON.stringify(figures)] : evaluateView(method, summary, paperOf(process.stdout));
  process.stdout.write(`${lines.join("\n")}\n`);
}
