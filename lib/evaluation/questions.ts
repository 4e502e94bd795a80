/**
 * Questions with known answers, from JSON lines.
 *
 * Owns: the layouts that are understood, the questions' ids, and messages that name the line.
 * Must not know: engines, grading.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

import { z } from "zod";

import { ThinkTreeError } from "../errors.js";
import { answerExtractor, normalizeAnswer } from "../verifiers/answer.js";
import { linesOf, type Line } from "./lines.js";

export interface Question {
  /** The line's own unique_id or id; else a hash of the question. No two questions of a file share one. */
  readonly id: string;
  readonly question: string;
  /** The right answer, as normalizeAnswer has it, or the tests of a program, as JSON. Never empty. */
  readonly answer: string;
  /** The line's other fields, such as pass1 or level, as they were. */
  readonly other: Readonly<Record<string, unknown>>;
}

const text = z.string().trim().min(1);

const lineSchema = z.looseObject({
  question: text.optional(),
  problem: text.optional(),
  answer: z.union([z.string(), z.number()]).optional(),
  solution: z.string().optional(),
  tests: z.unknown().optional(),
  unique_id: text.optional(),
  id: z.union([text, z.number()]).optional(),
});

const expected = '{"question": "...", "answer": "42"}, GSM8K\'s or MATH\'s layout';

/** From the final answers of written solutions: GSM8K's after "####", MATH's in the last \boxed. */
const finalAnswer = answerExtractor();

/**
 * The first `limit` questions of a file of JSON lines in any of these layouts:
 * `{question, answer}`, the answer short or a solution that ends in "#### 42" (GSM8K), or
 * `{problem, solution}`, the answer in the solution's last \boxed unless there is an `answer` (MATH), or
 * `{question, tests}`, see codeTests. Blank lines are skipped.
 *
 * @throws {ThinkTreeError} INVALID_OPTION: names the file and line, and what is expected.
 */
export async function readQuestions(path: string, limit = Infinity): Promise<Question[]> {
  const questions = new Map<string, Question>();
  try {
    for await (const line of linesOf(createReadStream(path))) {
      if (line.text.trim() === "") continue;
      const question = parse(line, path);
      if (questions.has(question.id)) {
        throw invalid(`${path}:${line.number} repeats the question ${question.id}: delete one, or give it an id`);
      }
      questions.set(question.id, question);
      if (questions.size >= limit) break;
    }
  } catch (error) {
    if (ThinkTreeError.isInstance(error)) throw error;
    throw invalid(`cannot read the questions in ${path}: ${(error as Error).message}`);
  }
  if (questions.size === 0) throw invalid(`${path} has no questions: expected lines of ${expected}`);
  return [...questions.values()];
}

/** One hash for a list of questions with their answers, in their order. */
export function digestOf(questions: readonly Question[]): string {
  const hash = createHash("sha256");
  for (const { id, question, answer } of questions) hash.update(JSON.stringify([id, question, answer]));
  return hash.digest("hex");
}

function parse(line: Line, path: string): Question {
  const refuse = (why: string) => invalid(`${path}:${line.number} is not a question: ${why}; expected ${expected}`);
  let value: unknown;
  try {
    value = JSON.parse(line.text);
  } catch {
    throw refuse("it is not JSON");
  }
  const { data, error } = lineSchema.safeParse(value);
  if (error)
    throw refuse(error.issues.map(({ path, message }) => `${path.join(".") || "the line"}: ${message}`).join("; "));
  const { question, problem, answer, solution, tests, unique_id, id, ...other } = data;
  const asked = question ?? problem;
  if (asked === undefined) throw refuse("it has neither question nor problem");
  const stated = answer === undefined ? finalAnswer(solution ?? "") : short(String(answer));
  const right = tests === undefined ? stated : JSON.stringify(tests);
  if (right === null || right === "") {
    throw refuse(answer === undefined ? "it has no answer, nor a solution with a \\boxed one" : "its answer is empty");
  }
  const own = unique_id ?? id;
  return { id: own === undefined ? hashOf(asked) : String(own), question: asked, answer: right, other };
}

function short(answer: string): string {
  return finalAnswer(answer) ?? normalizeAnswer(answer);
}

function hashOf(question: string): string {
  return createHash("sha256").update(question).digest("hex").slice(0, 16);
}

function invalid(message: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", message);
}
