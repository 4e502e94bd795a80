/**
 * Diverse verifier tree search: n / beamWidth subtrees that never compete. Each samples beamWidth steps, keeps the
 * best, samples beamWidth continuations of it, and so on; all solutions of all subtrees go to best-of-N weighted.
 * One overrated step can take over a beam search, but only one subtree here.
 *
 * A subtree is thus a beam search of n = beamWidth, and the subtrees run side by side: none waits for another's step.
 *
 * Source: Beeching, Tunstall, Rush 2024, "Scaling test-time compute with open models". Cost: n generations.
 */
import { rankByWeightedScore } from "../verifiers/selection.js";
import { solutionsOf, wholeIfAny } from "../verifiers/solution.js";
import { growBeams, scored } from "./beam-search.js";
import { checkBeamSearch, type BeamSearchOptions } from "./options.js";
import { sideBySide } from "./rounds.js";
import { defineStrategy, type Strategy } from "./strategy.js";

/** @throws {ThinkTreeError} INVALID_OPTION */
export function dvts(options: BeamSearchOptions): Strategy {
  const settings = checkBeamSearch(options);
  const { n, beamWidth } = settings;
  return defineStrategy({
    name: "dvts",
    options: { ...settings },
    generations: n,
    async explore(tree, { answerOf, onRound, aggregation }) {
      const report = sideBySide(onRound);
      const subtrees = Array.from({ length: n / beamWidth }, async (_, chain) => {
        const own = { ...settings, n: beamWidth };
        const ended = await growBeams(tree, tree.root, own, report(chain), scored(aggregation));
        return solutionsOf(ended, answerOf, aggregation).map((solution) => ({ ...solution, chain }));
      });
      return wholeIfAny((await Promise.all(subtrees)).flat());
    },
    rank: rankByWeightedScore,
  });
}
