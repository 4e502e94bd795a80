/**
 * What says whether an answer is right.
 *
 * Owns: the contract; a grader made of any function.
 * Must not know: any one way to grade, questions.
 */
import { ThinkTreeError } from "../errors.js";
import type { AnswerOf } from "../verifiers/solution.js";

export interface Grader extends AsyncDisposable {
  /** Everything that its verdicts depend on: a journal of graded answers is refused to a grader of another name. */
  readonly name: string;
  /** Reads the answer off a solution's text, where graded answers are not stated as others are; see answerExtractor. */
  readonly answerOf?: AnswerOf;
  /** Whether the answer is right. No answer (null) is wrong, and so is one that cannot be read. */
  grade(answer: string | null, reference: string): Promise<boolean>;
  /** @throws {ThinkTreeError} INVALID_OPTION if nothing could be graded against the reference. */
  check?(reference: string): void;
  /** Ends what it runs; what is not graded yet may fail. May be called again. */
  close(): Promise<void>;
}

/** Whether `answer` is right, in any way you like. */
export type Judge = (answer: string, reference: string) => boolean | Promise<boolean>;

export interface GraderOptions extends Pick<Grader, "answerOf" | "check"> {
  readonly close?: () => Promise<void>;
}

/**
 * A grader of your own. The function runs in this process, without a time limit; if it throws, `grade` rejects.
 *
 * @param name tells it from others; see Grader.
 */
export function customGrader(name: string, judge: Judge, { close, ...rest }: GraderOptions = {}): Grader {
  const closed = async () => close?.();
  return {
    ...rest,
    name,
    grade: async (answer, reference) => answer !== null && (await judge(answer, reference)),
    close: closed,
    [Symbol.asyncDispose]: closed,
  };
}

export function unfit(message: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", message);
}
