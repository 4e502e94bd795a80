/**
 * What both kinds of best-of-N do before they choose: n independent whole solutions, every step scored.
 *
 * Owns: the sampling. Must not know: how a solution is chosen.
 */
import type { SearchTree } from "../engine/search-tree.js";
import { solutionsOf, type Solution } from "../verifiers/solution.js";
import type { ScoredSamplingOptions } from "./options.js";
import { roundOf } from "./rounds.js";
import type { SettledContext } from "./strategy.js";

export async function sampleAndScore(
  tree: SearchTree,
  { answerOf, onRound, aggregation }: SettledContext,
  { n, temperature }: ScoredSamplingOptions,
): Promise<Solution[]> {
  const branches = tree.fork(tree.root, n);
  await tree.extend(branches, { temperature, steps: Infinity, score: true });
  await tree.score(branches);
  onRound?.(roundOf(1, branches, aggregation));
  return solutionsOf(branches, answerOf, aggregation);
}
