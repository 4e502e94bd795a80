/**
 * Majority vote, also called self-consistency: sample n whole solutions and take the answer most of them agree on.
 * The baseline that needs no verifier.
 *
 * Source: Wang et al. 2022 (arXiv 2203.11171). Cost: n generations, nothing scored.
 */
import { rankByVotes } from "../verifiers/selection.js";
import { solutionsOf } from "../verifiers/solution.js";
import { checkSampling, type SamplingOptions } from "./options.js";
import { roundOf } from "./rounds.js";
import { defineStrategy, type Strategy } from "./strategy.js";

/** @throws {ThinkTreeError} INVALID_OPTION */
export function majorityVote(options: SamplingOptions): Strategy {
  const { n, ...sampling } = checkSampling(options);
  return defineStrategy({
    name: "majority",
    options: { n, ...sampling },
    generations: n,
    async explore(tree, { answerOf, onRound }) {
      const branches = tree.fork(tree.root, n);
      await tree.extend(branches, { ...sampling, steps: Infinity });
      onRound?.(roundOf(1, branches, null));
      return solutionsOf(branches, answerOf, null);
    },
    rank: rankByVotes,
  });
}
