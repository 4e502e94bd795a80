/**
 * `thinktree solve`: one question, from flags to a printed answer.
 *
 * Owns: its own flags and help; its exit codes.
 * Must not know: how the answer looks.
 */
import { text as readAll } from "node:stream/consumers";
import { Command } from "commander";

import { ThinkTreeError } from "../errors.js";
import type { Answer } from "../scheduler/solve-options.js";
import { answerJson } from "../scheduler/answer-json.js";
import { answerView } from "./answer-view.js";
import type { Interruption } from "./interruption.js";
import { paperOf } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { addRemoteFlags, engineSource, openEngine, type RemoteFlags } from "./remote-flags.js";
import {
  addModelFlags,
  addSamplingFlags,
  addStrategyFlags,
  checkStrategyFlags,
  strategiesHelp,
  strategyOf,
  type ModelFlags,
  type SamplingFlags,
  type StrategyFlags,
} from "./search-flags.js";
import { duration, wholeNumber } from "./values.js";

interface SolveFlags extends StrategyFlags, SamplingFlags, ModelFlags, RemoteFlags {
  readonly seed?: number;
  readonly maxTokens?: number;
  readonly time?: number;
  readonly json?: true;
}

/** The exit code if a limit ended the search before any solution was whole. */
const endedEarly = 3;

const examples = `
Examples:
  $ thinktree solve "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben.
    How many pens does Mia have now?"
  $ thinktree solve "..." --strategy weighted-best-of-n --n 64 --seed 1
  $ thinktree solve "..." --generator qwen.gguf --verifier prm.gguf --time 30s
  $ cat question.txt | thinktree solve - --json | jq .answer
${strategiesHelp}

What is printed:
  The answer, its steps with their scores and the cost, on standard output;
  progress on standard error, if that is a terminal. With --json, one object:
    answer, text, score, finishReason, generations, seed,
    steps       [{text, score, tokens, logProbability}]
    candidates  [{answer, text, score, weight, finished, flags, steps}], best
                first
    strategy    {name, options}
    decision    {estimate, difficulty, bin, stopped, rounds}; null if --strategy
    ledger      {promptTokens, generatedTokens, coalescedTokens,
                 verifierPromptTokens, verifierTokens, referenceTokens,
                 recomputedTokens, kvCellsPeak, verifierKvCellsPeak,
                 treeTokensPeak, speculatedTokens, speculatedKept, draftTokens,
                 milliseconds, flops}

Ctrl-C stops the search with the best answer so far; a second one just ends.

Exit codes:
  0    an answer was printed
  1    an unexpected error
  2    a wrong flag, model file or question
  3    a limit ended the search before there was an answer
  130  Ctrl-C (143: SIGTERM) before there was an answer`;

export function solveCommand(interruption: Interruption): Command {
  const command = new Command("solve")
    .summary("search for the answer to a question")
    .description("Searches for the answer to a question: many solutions step by step, under a verifier.")
    .argument("<question>", "in quotes; - reads it from standard input")
    .configureHelp({ optionDescription: ({ description }) => description }); // they say defaults and choices themselves
  addStrategyFlags(command);
  addSamplingFlags(command)
    .option(
      "--seed <number>",
      "makes the same choices again (default: random)",
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .optionsGroup("Limits (the best answer so far is printed):")
    .option("--max-tokens <count>", "generated tokens of the whole search", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--time <span>", "500ms, 2s or 1m, from when the models are loaded", duration);
  return addRemoteFlags(addModelFlags(command))
    .optionsGroup("Output:")
    .option("--json", "print one JSON object and nothing else")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", examples)
    .action(async (question: string, flags: SolveFlags) => {
      process.exitCode = await solve(question, flags, interruption);
    });
}

/** @returns the exit code */
async function solve(question: string, flags: SolveFlags, interruption: Interruption): Promise<number> {
  const { strategy: name, n, seed, temperature, topK, topP, minP, maxTokens: tokens, time: milliseconds } = flags;
  const source = await engineSource(flags, name);
  checkStrategyFlags(flags); // a mistake is told before gigabytes are loaded
  const asked = question === "-" ? await readAll(process.stdin) : question;
  if (asked.trim() === "") throw new ThinkTreeError("EMPTY_PROMPT", "the question is empty");

  const progress = new ProgressView(process.stderr);
  await using engine = await openEngine(source, progress, interruption);
  const strategy = name && strategyOf(name, flags, engine.models);
  const budget = { tokens, milliseconds, ...(strategy === undefined && { generations: n }) };
  const answer = await interruption.duringSearch((stop) =>
    progress.duringSearch(
      strategy?.name ?? "compute-optimal",
      n,
      () => engine.stats().decodedTokens,
      () =>
        engine.solve(asked, {
          ...{ strategy, budget, seed, temperature, topK, topP, minP, stop },
          onProgress: progress.onProgress,
        }),
    ),
  );
  const lines = flags.json ? [JSON.stringify(answerJson(answer))] : answerView(answer, paperOf(process.stdout));
  process.stdout.write(`${lines.join("\n")}\n`);
  return isSolved(answer) ? 0 : (interruption.exitCode ?? (answer.finishReason === "complete" ? 0 : endedEarly));
}

function isSolved({ answer, candidates }: Answer): boolean {
  return answer !== null || candidates[0]?.finished === true;
}
