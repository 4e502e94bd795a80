/**
 * Methods that only choose among independent samples, judged on every subset of one large sample that is at hand.
 *
 * Owns: the subsampling, which is without bias: after a shuffle, disjoint groups of N are each a fair draw of N.
 * Must not know: engines, questions' texts.
 */
import { rankByScore, rankByVotes, rankByWeightedScore, type Candidate } from "thinktree";

import { mean, seededRandom, shuffled } from "../support/statistics.js";

export const choices = {
  majority: rankByVotes,
  "best-of-n": rankByScore,
  "weighted-best-of-n": rankByWeightedScore,
} as const;

export type ChoiceName = keyof typeof choices;

/** The share of groups of n whose chosen answer is right: an estimate of the chance that the method is. */
export function chanceRight(choice: ChoiceName, samples: readonly Candidate[], n: number, answer: string): number {
  const drawn = shuffled(samples, seededRandom(n));
  const groups = Array.from({ length: Math.floor(drawn.length / n) }, (_, i) => drawn.slice(i * n, (i + 1) * n));
  return mean(groups.map((group) => (choices[choice](group)[0]?.answer === answer ? 1 : 0)));
}
