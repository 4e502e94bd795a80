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
   * Stop when the most trusted answer holds this share of all verifier scores, and at least three samples state it: the
   * consensus of DeepConf (Fu et al. 2025, arXiv 2508.15260; they use 0.95). Null: never.
   */
  readonly share: number | null;
}

export type StopReason = "agreement" | "share";

/** A share that one lucky score makes up says little. */
const fewest = 3;

/** Only independent samples have a say: a search's solutions copy each other. */
export function reasonToStop(
  rules: StopRules,
  independent: readonly Pick<Solution, "answer" | "score">[],
): StopReason | null {
  const [first = 0, second = 0] = votesOf(independent);
  if (rules.agreement !== null && leadIsSure(first, second) >= rules.agreement) return "agreement";
  return rules.share !== null && largestShare(independent) >= rules.share ? "share" : null;
}

/** Of all scores, the share of the answer with the largest sum; 0 if fewer than three samples state it. */
function largestShare(samples: readonly Pick<Solution, "answer" | "score">[]): number {
  const groups = new Map<string, { sum: number; count: number }>();
  let total = 0;
  for (const { answer, score } of samples) {
    if (answer === null || score === null) continue;
    const { sum, count } = groups.get(answer) ?? { sum: 0, count: 0 };
    groups.set(answer, { sum: sum + score, count: count + 1 });
    total += score;
  }
  const largest = [...groups.values()].sort((a, b) => b.sum - a.sum)[0];
  return largest !== undefined && largest.count >= fewest && total > 0 ? largest.sum / total : 0;
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
