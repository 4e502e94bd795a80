/**
 * What a search leaves behind: solutions, out of branches.
 *
 * Owns: reading a branch's text, final answer and score off for good; which branches are worth reading.
 * Must not know: strategies, how solutions are ranked.
 */
import type { Branch, FinishReason, Step } from "../engine/search-tree.js";
import { aggregate, type Aggregation } from "./aggregation.js";

export interface Solution {
  readonly text: string;
  readonly steps: readonly Step[];
  /** The final answer; null where the text has none. */
  readonly answer: string | null;
  /** The steps' scores aggregated, in [0, 1]; null without a verifier or if a deadline came before the score. */
  readonly score: number | null;
  /** False for a partial solution: there are such only where the search ended before any was whole. */
  readonly finished: boolean;
  readonly finishReason: FinishReason | null;
  /** The chain of revisions, or the subtree, that it comes from: chains do not see each other. Left out if it stands alone. */
  readonly chain?: number;
}

/** Reads the final answer off a solution's text; null if there is none. */
export type AnswerOf = (text: string) => string | null;

/** The whole solutions among the branches; all of them if none is whole. `aggregation` is null where nobody scored. */
export function solutionsOf(
  branches: readonly Branch[],
  answerOf: AnswerOf,
  aggregation: Aggregation | null,
): Solution[] {
  return wholeIfAny(branches).map((branch) => ({
    text: branch.text,
    steps: branch.steps,
    answer: answerOf(branch.text),
    score: aggregation === null ? null : scoreOf(branch, aggregation),
    finished: branch.finished,
    finishReason: branch.finishReason,
  }));
}

/** The whole ones; all of them if none is whole. */
export function wholeIfAny<T extends { readonly finished: boolean }>(all: readonly T[]): T[] {
  const whole = all.filter(({ finished }) => finished);
  return whole.length > 0 ? whole : [...all];
}

/**
 * The branch's aggregated score. A partial solution is judged by what was scored of it: a deadline in mid-step would
 * otherwise make all partial solutions equal. A whole one is not: the step that matters most would be missing.
 */
export function scoreOf(branch: Branch, aggregation: Aggregation): number | null {
  const scores = branch.steps.map((step) => step.score);
  while (!branch.finished && scores.at(-1) === null) scores.pop();
  return aggregate(scores, aggregation);
}
