/**
 * Best-of-N: sample n whole solutions, score them, take the best-scored one.
 *
 * Source: Cobbe et al. 2021 (arXiv 2110.14168); Snell et al. 2024, sec. 5. Cost: n generations.
 */
import { rankByScore } from "../verifiers/selection.js";
import { checkScoredSampling, type ScoredSamplingOptions } from "./options.js";
import { sampleAndScore } from "./sample-and-score.js";
import { defineStrategy, type Strategy } from "./strategy.js";

/** @throws {ThinkTreeError} INVALID_OPTION */
export function bestOfN(options: ScoredSamplingOptions): Strategy {
  const settings = checkScoredSampling(options);
  return defineStrategy({
    name: "best-of-n",
    options: { ...settings },
    generations: settings.n,
    explore: (tree, context) => sampleAndScore(tree, context, settings),
    rank: rankByScore,
  });
}
