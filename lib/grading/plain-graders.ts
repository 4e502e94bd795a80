/**
 * Graders that need no more than a look: a number within a tolerance, a choice, a text.
 *
 * Owns: what each of them takes for an answer.
 * Must not know: threads, processes.
 */
import { z } from "zod";

import { parseOptions } from "../errors.js";
import { answerExtractor, normalizeAnswer } from "../verifiers/answer.js";
import { valueOf } from "./expression.js";
import { customGrader, unfit, type Grader } from "./grader.js";
import { plainLatex } from "./latex.js";
import { statementOf } from "./statement.js";
import { complex } from "./value.js";

export interface NumericOptions {
  /** Share of the reference by which an answer may be off; 0 or more, default 1e-6. */
  readonly tolerance?: number;
  /** What it may be off by, whatever the reference; 0 or more, default 0. An answer is right by either. */
  readonly absoluteTolerance?: number;
}

const numericSchema = z.object({
  tolerance: z.number().nonnegative().default(1e-6),
  absoluteTolerance: z.number().nonnegative().default(0),
});

/** A real number, however it is written: "1,234.5", "\frac{3}{8}", "2\pi", "12 km". @throws {ThinkTreeError} INVALID_OPTION */
export function numeric(options: NumericOptions = {}): Grader {
  const { tolerance, absoluteTolerance } = parseOptions(numericSchema, options);
  const judge = (answer: string, reference: string) => {
    const [given, right] = [realOf(answer), realOf(reference)];
    if (given === undefined || right === undefined) return false;
    return Math.abs(given - right) <= Math.max(absoluteTolerance, tolerance * Math.abs(right));
  };
  return customGrader(`numeric within ${tolerance} or ${absoluteTolerance}`, judge, {
    check: (reference) => {
      if (realOf(reference) === undefined) throw unfit(`"${reference}" is not a number: use another grader`);
    },
  });
}

/** Characters; a longer text is no number. */
const longest = 500;

function realOf(text: string): number | undefined {
  if (text.length > longest) return undefined;
  const statement = statementOf(plainLatex(text));
  if (statement.kind !== "expression") return undefined;
  const value = valueOf(statement.expression, new Map());
  if (value === undefined) return undefined;
  const { re, im } = complex(value);
  return Math.abs(im) <= 1e-12 * Math.abs(re) ? re : undefined;
}

/** A letter: "C", "(c)", "\text{(C)}", "C. because ...", "**C**". The last one that a solution names is its answer. */
export function multipleChoice(): Grader {
  return customGrader("choice", (answer, reference) => letterOf(answer) === letterOf(reference), {
    answerOf: choiceOf,
    check: (reference) => {
      if (letterOf(reference) === undefined) throw unfit(`"${reference}" is not the letter of a choice`);
    },
  });
}

const stated = answerExtractor();

/** Where a solution states its answer, or the last "(C)", or a last line that is a letter. */
function choiceOf(text: string): string | null {
  const last = /\banswer\b[\s:*(]*([A-Z])\b(?![\s\S]*\banswer\b[\s:*(]*[A-Z]\b)/i.exec(text.slice(-4_000))?.[1];
  const letter =
    letterOf(stated(text) ?? "") ??
    last?.toUpperCase() ??
    [...text.matchAll(/\(([A-Z])\)/g)].at(-1)?.[1] ??
    letterOf(text.trimEnd().split("\n").at(-1)!);
  return letter ?? null;
}

function letterOf(text: string): string | undefined {
  const bare = plainLatex(text.slice(0, 200)).replace(/\\text\s*\{([^{}]*)\}/g, "$1");
  return /^(?:option |choice )?[\s*({[]*([A-Z])(?=[*)}\].:]|\s*$)/i.exec(bare)?.[1]?.toUpperCase();
}

/** The same text, but for blanks and the ways to write a plain number ("1,000" = "1000"). */
export function exactText(): Grader {
  return customGrader("text", (answer, reference) => normalizeAnswer(answer) === normalizeAnswer(reference));
}
