/**
 * How data sets write questions and their answers down.
 *
 * Owns: one reader a layout: tests of programs, GSM8K, MATH with MATH-500 and AIME, short answers with AMC.
 * Must not know: files, engines, how answers are graded.
 */
import { z } from "zod";

import { answerExtractor, normalizeAnswer } from "../../verifiers/answer.js";
import type { Question } from "../questions.js";
import { has, hashOf, identity, Mistake, text, type Fields, type Layout } from "./record.js";

export const expectedQuestions =
  '{"question", "answer"}, or the layout of GSM8K, MATH, MATH-500, AIME or AMC, or {"question", "tests"}';

const words = { question: text.optional(), problem: text.optional() };
const names = { unique_id: identity, id: identity };
const answerSchema = z.union([z.string(), z.number()]);

/** From written solutions: GSM8K's after "####", MATH's in the last \boxed. */
const finalAnswer = answerExtractor();

/** The tests of a program, see codeTests; in which language, they do not say. */
function program(fields: Fields): Question {
  const { tests, ...others } = z.looseObject({ ...words, ...names, tests: z.unknown() }).parse(fields);
  return questionOf(others, JSON.stringify(tests));
}

/** The answer at the end of a solution: "6 * 7 = 42\n#### 42". */
function gsm8k(fields: Fields): Question {
  const { answer, ...others } = z.looseObject({ ...words, ...names, answer: z.string() }).parse(fields);
  return { ...questionOf(others, statedIn("answer", answer)), grader: "math" };
}

const mathSchema = z.looseObject({
  ...{ ...words, ...names, solution: z.string(), answer: answerSchema.optional() },
  ...{ subject: text.optional(), type: text.optional(), level: z.union([z.number(), z.string()]).optional() },
});

/** A solution that boxes the answer, which may stand by itself too. */
function math(fields: Fields): Question {
  const { solution, answer, subject, type, level, ...others } = mathSchema.parse(fields);
  const right = answer === undefined ? statedIn("solution", solution) : short(answer);
  const [field, height] = [subject ?? type, levelOf(level)];
  return {
    ...questionOf(others, right),
    ...(field !== undefined && { subject: field }),
    ...(height !== undefined && { level: height }),
    grader: "math",
  };
}

/** MATH-500's are numbers; MATH has "Level 3", and "Level ?" where it is not known. */
function levelOf(level: number | string | undefined): number | undefined {
  return typeof level === "string" ? Number(/\d+/.exec(level)?.[0] ?? NaN) || undefined : level;
}

/** AMC's answers are numbers such as 27.0. */
function shortAnswer(fields: Fields): Question {
  const { answer, ...others } = z.looseObject({ ...words, ...names, answer: answerSchema }).parse(fields);
  return { ...questionOf(others, short(answer)), grader: "math" };
}

/** The first that fits counts. */
export const questionLayouts: readonly Layout<Question>[] = [
  { fits: has("steps", "label"), read: judged("ProcessBench") },
  { fits: has("question", "label"), read: judged("PRM800K") },
  { fits: has("completions", "labels"), read: judged("TRL") },
  { fits: has("tests"), read: program },
  { fits: ({ answer }) => typeof answer === "string" && /^####/m.test(answer), read: gsm8k },
  { fits: has("solution"), read: math },
  { fits: has("answer"), read: shortAnswer },
  { fits: has("Solution"), read: (fields) => math(uncapitalized(fields)) },
  { fits: has("Answer"), read: (fields) => shortAnswer(uncapitalized(fields)) },
];

/** AIME as Hugging Face has it: ID, Problem, Solution, Answer. */
function uncapitalized(fields: Fields): Fields {
  const capitals = new Set(["ID", "Question", "Problem", "Solution", "Answer"]);
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [capitals.has(name) ? name.toLowerCase() : name, value]),
  );
}

function judged(layout: string) {
  return (): never => {
    throw new Mistake(`it is a solution with judged steps (${layout}), from which verifiers are evaluated`);
  };
}

interface Asked {
  readonly question?: string | undefined;
  readonly problem?: string | undefined;
  readonly unique_id?: string | number | undefined;
  readonly id?: string | number | undefined;
}

function questionOf({ question, problem, unique_id, id, ...other }: Asked, answer: string): Question {
  const asked = question ?? problem;
  if (asked === undefined) throw new Mistake("it has neither question nor problem");
  if (answer === "") throw new Mistake("answer: it is empty");
  return { id: String(unique_id ?? id ?? hashOf(asked)), question: asked, answer, other };
}

function statedIn(field: string, solution: string): string {
  const answer = finalAnswer(solution);
  if (answer === null) throw new Mistake(`${field}: it states no answer, in a \\boxed or otherwise`);
  return answer;
}

function short(answer: string | number): string {
  return finalAnswer(String(answer)) ?? normalizeAnswer(String(answer));
}
