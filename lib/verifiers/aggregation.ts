/**
 * One score for a solution from the scores of its steps.
 *
 * Owns: the four aggregations.
 * Must not know: branches, answers, strategies.
 */

/**
 * - `last`: the last step's score. Best with verifiers trained on soft Monte-Carlo labels (Snell et al. 2024, app. E).
 * - `min`: the weakest step's.
 * - `product`: the probability that every step is right, if steps were independent. Falls with length.
 * - `mean`: the arithmetic mean. Forgives one bad step.
 */
export type Aggregation = "last" | "min" | "product" | "mean";

export const aggregations = ["last", "min", "product", "mean"] as const satisfies readonly Aggregation[];

const overAll = {
  min: (scores) => scores.reduce((a, b) => Math.min(a, b)),
  product: (scores) => scores.reduce((a, b) => a * b),
  mean: (scores) => scores.reduce((a, b) => a + b) / scores.length,
} satisfies Record<string, (scores: readonly number[]) => number>;

/** Scores in [0, 1] give a result in [0, 1]. Null if a score that counts is unknown, or if there are none. */
export function aggregate(scores: readonly (number | null)[], aggregation: Aggregation): number | null {
  if (aggregation === "last") return scores.at(-1) ?? null;
  const known = scores.filter((score) => score !== null);
  return known.length > 0 && known.length === scores.length ? overAll[aggregation](known) : null;
}
