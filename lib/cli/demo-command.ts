/**
 * `thinktree demo`: what search buys, on questions that the model alone usually gets wrong.
 *
 * Owns: which questions, which rivals, and that nothing is chosen by its result: the questions are the first that are
 * hard, whatever comes of them, and the seed is fixed.
 * Must not know: how an answer's page looks.
 */
import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { z } from "zod";

import { parseOptions, ThinkTreeError } from "../errors.js";
import { Engine } from "../scheduler/engine.js";
import { aggregationOf } from "../scheduler/recipe.js";
import type { Answer } from "../scheduler/solve-options.js";
import { beamSearch, majorityVote, type Strategy } from "../strategies/index.js";
import { normalizeAnswer } from "../verifiers/answer.js";
import { costView, stepsView } from "./answer-view.js";
import { heldOutQuestions } from "./package-files.js";
import { grouped, paperOf, seconds, wrap, type Paper } from "./paper.js";
import { ProgressView } from "./progress-view.js";
import { wholeNumber } from "./values.js";

const questionSchema = z.object({
  question: z.string().min(1),
  answer: z.union([z.string(), z.number()]).transform((answer) => normalizeAnswer(String(answer))),
  /** The share of the generator's own solutions, sampled at temperature 0.8, that are right. */
  pass1: z.number().min(0).max(1),
});
type Question = z.infer<typeof questionSchema>;
type ModelInfo = Engine["models"]["generator"];

const hard = { atLeast: 0.05, atMost: 0.25 };
const n = 16;

interface DemoFlags {
  readonly generator?: string;
  readonly verifier?: string;
  readonly questions?: string;
  readonly count: number;
  readonly seed: number;
}

export function demoCommand(): Command {
  return new Command("demo")
    .summary("see what search buys on a few hard questions")
    .description(
      "Puts a few questions to the small model that it usually gets wrong: once alone, once with a majority vote, " +
        "once with a beam search under the verifier.",
    )
    .option("--count <number>", "questions to ask", wholeNumber(1, 1_000), 5)
    .option("--seed <number>", "of every search", wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option("--generator <file.gguf>", "instead of the embedded one; needs --verifier too")
    .option("--verifier <file.gguf>", "instead of the embedded one")
    .option("--questions <file.jsonl>", "lines of {question, answer, pass1} (default: held-out ones)")
    .helpOption("-h, --help", "print this help")
    .action(demo);
}

async function demo(flags: DemoFlags): Promise<void> {
  const questions = await hardQuestions(flags.questions ?? heldOutQuestions, flags.count);
  const paper = paperOf(process.stdout);
  const progress = new ProgressView(process.stderr);
  await using engine = await progress.during("loading the models", () => Engine.load(modelsOf(flags)));
  const { generator, verifier } = engine.models;
  if (verifier === undefined)
    throw new ThinkTreeError("NO_VERIFIER", "the demo needs a verifier: name one with --verifier FILE.gguf");
  const rivals = rivalsOf(verifier);

  print(introduction(generator, verifier, questions.length, flags.seed, paper));
  const asked: Asked[] = [];
  for (const question of questions) {
    print(questionView(question, asked.length + 1, paper));
    const answers: Answer[] = [];
    for (const { label, strategy, size } of rivals) {
      const answer = await progress.duringSearch(
        label,
        size,
        () => engine.stats().decodedTokens,
        () => engine.solve(question.question, { strategy, seed: flags.seed, onProgress: progress.onProgress }),
      );
      answers.push(answer);
      print([rowView(label, answer, question, paper)]);
    }
    asked.push({ question, answers });
  }
  print(summary(rivals, asked, paper));
  print(howItWent(asked, paper));
}

interface Rival {
  readonly label: string;
  readonly strategy: Strategy;
  readonly size: number;
}

interface Asked {
  readonly question: Question;
  /** One of each rival. */
  readonly answers: readonly Answer[];
}

/** The place of beam search among the rivals. */
const search = 2;

function rivalsOf(verifier: ModelInfo): Rival[] {
  const aggregation = aggregationOf(verifier);
  return [
    { label: "alone, one solution", strategy: majorityVote({ n: 1 }), size: 1 },
    { label: `majority of ${n} solutions`, strategy: majorityVote({ n }), size: n },
    { label: `beam search of ${n}`, strategy: beamSearch({ n, beamWidth: 4, aggregation }), size: n },
  ];
}

function introduction(generator: ModelInfo, verifier: ModelInfo, count: number, seed: number, paper: Paper): string[] {
  const text =
    `A model of ${size(generator)} parameters writes solutions step by step; one of ${size(verifier)} scores the steps. ` +
    `${count === 1 ? "This question is" : `These ${count} questions are`} the first held-out with pass@1 from ` +
    `${percent(hard.atLeast)} to ${percent(hard.atMost)}, not chosen by what search makes of them. Seed ${seed}.`;
  return ["", ...wrap(text, paper.columns - 4).map((line) => `  ${line}`)];
}

function size({ parameters }: ModelInfo): string {
  return parameters < 1e9 ? `${(parameters / 1e6).toFixed(1)} million` : `${(parameters / 1e9).toFixed(1)} billion`;
}

function questionView({ question, answer, pass1 }: Question, number: number, { columns, colors }: Paper): string[] {
  const head = `${number}. `;
  return [
    "",
    ...wrap(question, columns - 4 - head.length).map(
      (line, i) => `  ${i === 0 ? head : " ".repeat(head.length)}${line}`,
    ),
    colors.dim(`     Right is ${answer}. The model alone finds it in ${percent(pass1)} of its attempts.`),
  ];
}

function rowView(label: string, { answer, ledger }: Answer, question: Question, { colors }: Paper): string {
  const right = answer === question.answer;
  const mark = right ? colors.green("✓") : colors.red("✗");
  const cost = `${grouped(ledger.generatedTokens)} tokens, ${seconds(ledger.milliseconds)}`;
  return `     ${mark} ${label.padEnd(28)}${(answer ?? "none").padStart(10)}  ${colors.dim(cost.padStart(22))}`;
}

function summary(rivals: readonly Rival[], asked: readonly Asked[], { colors }: Paper): string[] {
  const rows = rivals.map(({ label }, i) => {
    const right = asked.filter((one) => isRight(one, i)).length;
    return `    ${label.padEnd(34)}${colors.bold(`${right} of ${asked.length}`)}`;
  });
  return ["", `  ${colors.bold("Answered right")}`, ...rows];
}

/** The search in full, for a question that it alone got right if there is one. */
function howItWent(asked: readonly Asked[], paper: Paper): string[] {
  const solved = asked.filter((one) => isRight(one, search));
  const shown =
    solved.find((one) => !one.answers.some((_, i) => i !== search && isRight(one, i))) ?? solved[0] ?? asked[0]!;
  const answer = shown.answers[search]!;
  const did = solved.includes(shown) ? "solved" : "failed at";
  return [
    "",
    `  ${paper.colors.bold(`How beam search ${did} question ${asked.indexOf(shown) + 1}`)}, each step with the verifier's score`,
    "",
    ...stepsView(answer, paper),
    "",
    ...costView(answer, paper),
    "",
    `  Now yours: ${paper.colors.cyan('npx thinktree solve "..."')}`,
  ];
}

function isRight({ question, answers }: Asked, rival: number): boolean {
  return answers[rival]?.answer === question.answer;
}

function modelsOf({ generator, verifier }: DemoFlags) {
  return { ...(generator !== undefined && { generator }), ...(verifier !== undefined && { verifier }) };
}

async function hardQuestions(file: string, count: number): Promise<Question[]> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new ThinkTreeError("INVALID_OPTION", `cannot read the questions in ${file}`, { cause });
  });
  const found = text
    .split("\n")
    .flatMap((line, i) => (line.trim() === "" ? [] : [questionOf(line, `${file}:${i + 1}`)]))
    .filter(({ pass1 }) => pass1 >= hard.atLeast && pass1 <= hard.atMost)
    .slice(0, count);
  if (found.length > 0) return found;
  throw new ThinkTreeError(
    "INVALID_OPTION",
    `no question in ${file} has a pass1 from ${hard.atLeast} to ${hard.atMost}`,
  );
}

function questionOf(line: string, place: string): Question {
  try {
    return parseOptions(questionSchema, JSON.parse(line));
  } catch (cause) {
    throw new ThinkTreeError("INVALID_OPTION", `${place} is not a question: {"question", "answer", "pass1"}`, {
      cause,
    });
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.map((line) => line.trimEnd()).join("\n")}\n`);
}
