/**
 * How hard a question is for this generator, as a number from 0 (it always solves it) to 1 (never).
 *
 * Owns: the estimates: oracle, score, agreement, question.
 * Must not know: policies, budgets, what is done about it.
 */
import type { Solution } from "../verifiers/solution.js";
import { z } from "zod";

/**
 * - `score`: from a few solutions, 1 - their mean verifier score. Snell et al. 2024, sec. 3.2: "predicted difficulty".
 * - `agreement`: from a few solutions, 1 - the share of the most frequent answer. Needs no verifier.
 * - `question`: from the generator's hidden state at the question's end, before anything is sampled.
 */
export const estimates = ["score", "agreement", "question"] as const;
export type Estimate = (typeof estimates)[number];

/** 1 - pass@1 over samples with known answers (Snell et al. 2024, sec. 3.2, over 2,048 of them). NaN of none. */
export function oracleDifficulty(right: readonly boolean[]): number {
  return 1 - right.filter(Boolean).length / right.length;
}

/** Unscored solutions count as 0: a deadline or a guard left them without a score. 1 of none. */
export function scoreDifficulty(solutions: readonly Pick<Solution, "score">[]): number {
  if (solutions.length === 0) return 1;
  return 1 - solutions.reduce((sum, { score }) => sum + (score ?? 0), 0) / solutions.length;
}

/** 1 of none, and of solutions without an answer. */
export function agreementDifficulty(solutions: readonly Pick<Solution, "answer">[]): number {
  const votes = votesOf(solutions);
  return solutions.length === 0 ? 1 : 1 - (votes[0] ?? 0) / solutions.length;
}

/** How many solutions stand behind each answer, most first. */
export function votesOf(solutions: readonly Pick<Solution, "answer">[]): number[] {
  const votes = new Map<string, number>();
  for (const { answer } of solutions) if (answer !== null) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  return [...votes.values()].sort((a, b) => b - a);
}

/** A linear probe: difficulty = bias + weights . hidden state, clipped to [0, 1]. */
export const probeSchema = z.strictObject({ bias: z.number(), weights: z.array(z.number()).min(1) });
export type QuestionProbe = z.infer<typeof probeSchema>;

/** The state has as many numbers as the probe has weights: the generator's width. */
export function questionDifficulty({ bias, weights }: QuestionProbe, state: ArrayLike<number>): number {
  const value = weights.reduce((sum, weight, i) => sum + weight * state[i]!, bias);
  return Math.min(1, Math.max(0, value));
}
