/**
 * When more solutions are unlikely to change the answer.
 *
 * Owns: the two rules. Must not know: budgets, policies, where solutions come from.
 */
import type { Solution } from "../verifiers/solution.js";
import { votesOf } from "./difficulty.js";

export interface StopRules {
  /**
   * Stop when the most frequent answer is that surely ahead of the second: the Beta posterior of Adaptive-Consistency
   * (Aggarwal et al. 2023, arXiv 2305.11860; they use 0.95). 4 of 4 are enough for 0.95. Null: never.
   */
  readonly agreement: number | null;
  /**
   * Stop when the chosen solution's own verifier score is at least this. A policy sets it where such solutions were
   * right in calibration (see fitStopScore). Null: never.
   */
  readonly score: number | null;
}

export type StopReason = "agreement" | "score";

/** `chosen` is what would be answered now. Only independent samples may vote: a search's solutions copy each other. */
export function reasonToStop(
  rules: StopRules,
  independent: readonly Solution[],
  chosen: Pick<Solution, "answer" | "score"> | undefined,
): StopReason | null {
  if (chosen === undefined || chosen.answer === null) return null;
  if (rules.score !== null && chosen.score !== null && chosen.score >= rules.score) return "score";
  const [first = 0, second = 0] = votesOf(independent);
  return rules.agreement !== null && leadIsSure(first, second) >= rules.agreement ? "agreement" : null;
}

/** P(p > 1/2) for p ~ Beta(first + 1, second + 1): a binomial tail, since both are whole numbers. */
export function leadIsSure(first: number, second: number): number {
  const trials = first + second + 1;
  let log = -trials * Math.LN2; // of the term: a power of two would vanish for a thousand votes
  let sum = Math.exp(log);
  for (let k = 1; k <= first; k++) {
    log += Math.log((trials - k + 1) / k);
    sum += Math.exp(log);
  }
  return Math.min(1, sum);
}
