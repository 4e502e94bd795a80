/**
 * Questions with known answers, from a file.
 *
 * Owns: what a question is, that no two of a file have the same name, its seed in a run.
 * Must not know: engines, grading, any one layout.
 */
import { createHash } from "node:crypto";

import { ThinkTreeError } from "../errors.js";
import { expectedQuestions, questionLayouts } from "./data-sets/question-layouts.js";
import { readRecord } from "./data-sets/record.js";
import { rowsOf } from "./data-sets/rows.js";

export interface Question {
  /** The record's own unique_id or id; else a hash of the question. No two questions of a file share one. */
  readonly id: string;
  readonly question: string;
  /** The right answer, as normalizeAnswer has it, or the tests of a program, as JSON. Never empty. */
  readonly answer: string;
  /** Such as "Precalculus", where the data set says. */
  readonly subject?: string;
  /** How hard the data set says it is; MATH's go from 1 to 5. */
  readonly level?: number;
  /** What the data set's answers are graded by, as --grader calls it. Left out of programs, whose language is not told. */
  readonly grader?: "math";
  /** The record's other fields, such as pass1, as they were. */
  readonly other: Readonly<Record<string, unknown>>;
}

/** What asking and grading need of a question. */
export type BareQuestion = Omit<Question, "grader" | "other">;

export function bareQuestion({ id, question, answer, subject, level }: Question): BareQuestion {
  return {
    ...{ id, question, answer },
    ...(subject !== undefined && { subject }),
    ...(level !== undefined && { level }),
  };
}

/**
 * The first `limit` questions of a file: JSON lines, a JSON array or Parquet, gzipped or not, in the layout of any of
 * `data-sets/question-layouts.ts`. Which, is told by the content.
 *
 * @throws {ThinkTreeError} INVALID_OPTION: names the file, the record and the field, and what is expected.
 */
export async function readQuestions(path: string, limit = Infinity): Promise<Question[]> {
  const questions = new Map<string, Question>();
  for await (const row of rowsOf(path)) {
    const question = readRecord(row, questionLayouts, "a question", expectedQuestions)!;
    if (questions.has(question.id)) {
      throw invalid(`${row.place} repeats the question ${question.id}: delete one, or give it an id`);
    }
    questions.set(question.id, question);
    if (questions.size >= limit) break;
  }
  if (questions.size === 0) throw invalid(`${path} has no questions: expected ${expectedQuestions}`);
  return [...questions.values()];
}

/** One hash for a list of questions with their answers, in their order. */
export function digestOf(questions: readonly Question[]): string {
  const hash = createHash("sha256");
  for (const { id, question, answer } of questions) hash.update(JSON.stringify([id, question, answer]));
  return hash.digest("hex");
}

/** A question's own seed in a run: 48 bits of a hash, so that the questions' order does not matter. */
export function seedOf(seed: number, id: string): number {
  const hash = createHash("sha256")
    .update(JSON.stringify([seed, id]))
    .digest("hex");
  return Number.parseInt(hash.slice(0, 12), 16);
}

function invalid(message: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", message);
}
