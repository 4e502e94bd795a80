/**
 * `thinktree solve`: one question, from flags to a printed answer.
 *
 * Owns: its flags and their help; which strategy and verifier they mean; its exit codes.
 * Must not know: how the answer looks.
 */
import { text as readAll } from "node:stream/consumers";
import { Command, InvalidArgumentError, Option } from "commander";

import { ThinkTreeError } from "../errors.js";
import { Engine } from "../scheduler/engine.js";
import { aggregationOf } from "../scheduler/recipe.js";
import type { Answer } from "../scheduler/solve.js";
import { strategyByName, strategyNames, type Strategy, type StrategyName } from "../strategies/index.js";
import { aggregations, type Aggregation } from "../verifiers/aggregation.js";
import { answerJson } from "./answer-json.js";
import { answerView } from "./answer-view.js";
import type { Interruption } from "./interruption.js";
import { paperOf } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { decimal, duration, wholeNumber } from "./values.js";

interface SolveFlags {
  readonly strategy?: StrategyName;
  readonly n: number;
  readonly beamWidth?: number;
  readonly lookahead?: number;
  readonly aggregation?: Aggregation;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly seed?: number;
  readonly maxTokens?: number;
  readonly time?: number;
  readonly generator?: string;
  /** False: --no-verifier. */
  readonly verifier?: string | false;
  readonly kvCells?: number;
  readonly threads?: number;
  readonly json?: true;
}

/** The exit code if a limit ended the search before any solution was whole. */
const endedEarly = 3;
const mostBranches = 65_536;
const branches = wholeNumber(1, mostBranches);
const share = "a number above 0, up to 1";

const examples = `
Examples:
  $ thinktree solve "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben.
    How many pens does Mia have now?"
  $ thinktree solve "..." --strategy weighted-best-of-n --n 64 --seed 1
  $ thinktree solve "..." --generator qwen.gguf --verifier prm.gguf --time 30s
  $ cat question.txt | thinktree solve - --json | jq .answer

Strategies:
  majority            the answer most of n solutions agree on; no verifier
  best-of-n           the best-scored of n solutions
  weighted-best-of-n  the answer with the largest sum of scores
  beam                keep the best n / beam-width steps, continue each of them
  lookahead           beam search whose steps are judged by where they lead
  dvts                n / beam-width beam searches that do not compete

What is printed:
  The answer, its steps with their scores and the cost, on standard output;
  progress on standard error, if that is a terminal. With --json, one object:
    answer, text, score, finishReason, seed,
    steps       [{text, score, tokens, logProbability}]
    candidates  [{answer, text, score, weight, finished, steps}], best first
    strategy    {name, options}
    ledger      {promptTokens, generatedTokens, verifierPromptTokens,
                 verifierTokens, recomputedTokens, kvCellsPeak,
                 verifierKvCellsPeak, treeTokensPeak, milliseconds, flops}

Ctrl-C stops the search with the best answer so far; a second one just ends.

Exit codes:
  0    an answer was printed
  1    an unexpected error
  2    a wrong flag, model file or question
  3    a limit ended the search before there was an answer
  130  Ctrl-C (143: SIGTERM) before there was an answer`;

export function solveCommand(interruption: Interruption): Command {
  return new Command("solve")
    .summary("search for the answer to a question")
    .description("Searches for the answer to a question: many solutions step by step, under a verifier.")
    .argument("<question>", "in quotes; - reads it from standard input")
    .configureHelp({ optionDescription: ({ description }) => description }) // they say defaults and choices themselves
    .optionsGroup("Search:")
    .addOption(
      new Option("--strategy <name>", "see below (default: beam; without a verifier majority)").choices(strategyNames),
    )
    .option("--n <count>", "solutions to search among (default: 16)", branches, 16)
    .option("--beam-width <count>", "continuations of each kept step (default: 4)", branches)
    .option("--lookahead <steps>", "steps to look ahead (default: 1)", wholeNumber(0, mostBranches))
    .addOption(
      new Option(
        "--aggregation <how>",
        "of a solution's step scores: last, min, product or mean (default: the verifier's own)",
      ).choices(aggregations),
    )
    .optionsGroup("Sampling:")
    .option(
      "--temperature <t>",
      "0 is greedy (default: 0.8)",
      decimal("a number from 0 to 100", (t) => t >= 0 && t <= 100),
    )
    .option("--top-k <count>", "keep the likeliest tokens (default: 0, all)", wholeNumber(0, 2 ** 31 - 1))
    .option(
      "--top-p <share>",
      "keep this share of probability (default: 1)",
      decimal(share, (p) => p > 0 && p <= 1),
    )
    .option(
      "--min-p <share>",
      "drop tokens less likely than this share of the likeliest (default: 0)",
      decimal("a number from 0, below 1", (p) => p >= 0 && p < 1),
    )
    .option(
      "--seed <number>",
      "makes the same choices again (default: random)",
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .optionsGroup("Limits (the best answer so far is printed):")
    .option("--max-tokens <count>", "generated tokens of the whole search", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--time <span>", "500ms, 2s or 1m, from when the models are loaded", duration)
    .optionsGroup("Models:")
    .option("--generator <file.gguf>", "writes the steps (default: the embedded model)", fileName)
    .option("--verifier <file.gguf>", "scores them (default: the embedded one with the embedded generator)", fileName)
    .option("--no-verifier", "load none: majority needs none")
    .option("--kv-cells <count>", "size of each model's cache (default: 16384)", wholeNumber(64, 1 << 20))
    .option("--threads <count>", "of each model (default: by its size)", wholeNumber(1, 512))
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
  const { name, engineOptions } = plan(flags);
  makeStrategy(name, flags); // a mistake is told before gigabytes are loaded
  const asked = question === "-" ? await readAll(process.stdin) : question;
  if (asked.trim() === "") throw new ThinkTreeError("EMPTY_PROMPT", "the question is empty");

  const progress = new ProgressView(process.stderr);
  await using engine = await progress.during("loading the models", () => Engine.load(engineOptions));
  const verifier = engine.models.verifier;
  const scored = name !== "majority" && verifier !== undefined;
  const strategy = makeStrategy(name, scored ? { aggregation: aggregationOf(verifier), ...flags } : flags);
  const { seed, topK, topP, minP, maxTokens: tokens, time: milliseconds } = flags;
  const answer = await interruption.duringSearch((stop) =>
    progress.duringSearch(
      strategy.name,
      flags.n,
      () => engine.stats().decodedTokens,
      () =>
        engine.solve(asked, {
          strategy,
          budget: { tokens, milliseconds },
          seed,
          topK,
          topP,
          minP,
          stop,
          onProgress: progress.onProgress,
        }),
    ),
  );
  const lines = flags.json ? [JSON.stringify(answerJson(answer))] : answerView(answer, paperOf(process.stdout));
  process.stdout.write(`${lines.join("\n")}\n`);
  return isSolved(answer) ? 0 : (interruption.exitCode ?? (answer.finishReason === "complete" ? 0 : endedEarly));
}

/** Which strategy and models the flags mean. */
function plan({ strategy, generator, verifier, kvCells, threads }: SolveFlags): {
  name: StrategyName;
  engineOptions: Parameters<typeof Engine.load>[0];
} {
  const verifiable = verifier !== false && (generator === undefined || verifier !== undefined);
  const name = strategy ?? (verifiable ? "beam" : "majority");
  if (!verifiable && name !== "majority") {
    const mend = verifier === false ? "leave --no-verifier out" : "name one with --verifier FILE.gguf";
    throw new ThinkTreeError("NO_VERIFIER", `${name} needs a verifier: ${mend}, or use --strategy majority`);
  }
  // A vote asks no verifier, so the embedded one is not loaded for it.
  const wanted = verifier === false || (verifier === undefined && name === "majority") ? null : verifier;
  return {
    name,
    engineOptions: {
      ...(generator !== undefined && { generator }),
      ...(wanted !== undefined && { verifier: wanted }),
      ...(kvCells !== undefined && { kvCells }),
      ...(threads !== undefined && { threads }),
    },
  };
}

type StrategyFlags = Pick<SolveFlags, "n" | "beamWidth" | "lookahead" | "aggregation" | "temperature">;

/** @throws {ThinkTreeError} INVALID_OPTION */
function makeStrategy(name: StrategyName, flags: StrategyFlags): Strategy {
  const { n, beamWidth, lookahead, aggregation, temperature } = flags;
  return strategyByName(name, {
    n,
    ...(beamWidth !== undefined && { beamWidth }),
    ...(lookahead !== undefined && { lookahead }),
    ...(aggregation !== undefined && { aggregation }),
    ...(temperature !== undefined && { temperature }),
  });
}

function isSolved({ answer, candidates }: Answer): boolean {
  return answer !== null || candidates[0]?.finished === true;
}

function fileName(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Name a GGUF file.");
}
