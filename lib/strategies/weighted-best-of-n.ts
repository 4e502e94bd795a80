/**
 * Best-of-N weighted: sample n whole solutions, score them, add up the scores of those that agree on an answer, take
 * the answer with the largest sum. What many mediocre solutions agree on can beat one that the verifier overrates.
 *
 * Source: Li et al. 2023 (arXiv 2206.02336); Snell et al. 2024, sec. 5.1. Cost: n generations.
 */
import { rankByWeightedScore } from "../verifiers/selection.js";
import { checkScoredSampling, type ScoredSamplingOptions } from "./options.js";
import { sampleAndScore } from "./sample-and-score.js";
import { defineStrategy, type Strategy } from "./strategy.js";

/** @throws {ThinkTreeError} INVALID_OPTION */
export function weightedBestOfN(options: ScoredSamplingOptions): Strategy {
  const settings = checkScoredSampling(options);
  return defineStrategy({
    name: "weighted-best-of-n",
    options: { ...settings },
    generations: settings.n,
    explore: (tree, context) => sampleAndScore(tree, context, settings),
    rank: rankByWeightedScore,
  });
}
