/**
 * Mathematics, graded beside the event loop.
 *
 * Owns: the two modes, what needs no thread, the longest text that is read at all.
 * Must not know: threads, what makes two texts mean the same.
 */
import { z } from "zod";

import { parseOptions } from "../errors.js";
import { customGrader, type Grader } from "./grader.js";
import { GraderPool } from "./grader-pool.js";

export const mathModes = ["symbolic", "prm800k"] as const;

export type MathMode = (typeof mathModes)[number];

export interface MathGraderOptions {
  /**
   * symbolic (default): the answer must mean what the reference means: numbers and expressions by value, lists in any order,
   * tuples and intervals in theirs, equations up to rearrangement.
   * prm800k: the rules by which PRM800K and the paper grade MATH; fractions must be reduced, order matters.
   */
  readonly mode?: MathMode;
  /** Of one answer, which is wrong if it takes longer. 50 to 60,000 ms, default 500. */
  readonly timeLimitMs?: number;
}

/** Characters. Real answers have a tenth of them at most, and longer ones are right only if they are the same text. */
const longest = 1_000;

const schema = z.object({
  mode: z.enum(mathModes).default("symbolic"),
  timeLimitMs: z.number().min(50).max(60_000).default(500),
});

/**
 * Grades answers in LaTeX or plain text. Its threads start with the first answer and do not keep the process alive.
 *
 * @throws {ThinkTreeError} INVALID_OPTION
 */
export function mathGrader(options: MathGraderOptions = {}): Grader {
  const { mode, timeLimitMs } = parseOptions(schema, options);
  const pool = new GraderPool(mode, timeLimitMs);
  return customGrader(
    mode === "symbolic" ? "math" : mode,
    (answer, reference) =>
      answer === reference ||
      (answer.length <= longest && reference.length <= longest && pool.grade(answer, reference)),
    { close: () => pool.close() },
  );
}
