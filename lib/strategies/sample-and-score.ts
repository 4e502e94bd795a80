/**
 * What both kinds of best-of-N do before they choose: n independent whole solutions, every step scored.
 *
 * Owns: the sampling. Must not know: how a solution is chosen.
 */
import type { SearchTree } from "../engine/search-tree.js";
import type { Aggregation } from "../verifiers/aggregation.js";
import { compareScores } from "../verifiers/selection.js";
import { solutionsOf, type Solution } from "../verifiers/solution.js";
import type { ScoredSamplingOptions } from "./options.js";
import type { SearchContext } from "./strategy.js";

export async function sampleAndScore(
  tree: SearchTree,
  { answerOf, onRound, aggregation }: SearchContext & { aggregation: Aggregation },
  { n, temperature }: ScoredSamplingOptions,
): Promise<Solution[]> {
  const branches = tree.fork(tree.root, n);
  await tree.extend(branches, { temperature, steps: Infinity, score: true });
  await tree.score(branches);
  const solutions = solutionsOf(branches, answerOf, aggregation);
  const bestScore = solutions.map(({ score }) => score).sort(compareScores)[0] ?? null;
  onRound?.({ round: 1, live: 0, finished: solutions.filter(({ finished }) => finished).length, bestScore });
  return solutions;
}
