/**
 * Diverse verifier tree search: n / beamWidth subtrees that never compete. Each samples beamWidth steps, keeps the
 * best, samples beamWidth continuations of it, and so on; all solutions of all subtrees go to best-of-N weighted.
 * One overrated step can take over a beam search, but only one subtree here.
 *
 * A subtree is thus a beam search of n = beamWidth, and the subtrees run side by side: none waits for another's step.
 *
 * Source: Beeching, Tunstall, Rush 2024, "Scaling test-time compute with open models". Cost: n generations.
 */
import { compareScores, rankByWeightedScore } from "../verifiers/selection.js";
import { solutionsOf } from "../verifiers/solution.js";
import { growBeams, scored } from "./beam-search.js";
import { checkBeam, type BeamOptions } from "./options.js";
import { defineStrategy, type RoundReport, type Strategy } from "./strategy.js";

/** @throws {ThinkTreeError} INVALID_OPTION */
export function dvts(options: BeamOptions): Strategy {
  const settings = checkBeam(options);
  const { n, beamWidth } = settings;
  return defineStrategy({
    name: "dvts",
    options: { ...settings },
    generations: n,
    async search(tree, { answerOf, onRound, aggregation }) {
      const reports = new Map<number, RoundReport>();
      const report = (subtree: number) => (latest: RoundReport) => {
        reports.set(subtree, latest);
        onRound?.(together([...reports.values()]));
      };
      const subtrees = Array.from({ length: n / beamWidth }, (_, subtree) =>
        growBeams(tree, { ...settings, n: beamWidth }, report(subtree), scored(aggregation)),
      );
      const ended = (await Promise.all(subtrees)).flat();
      return rankByWeightedScore(solutionsOf(ended, answerOf, aggregation));
    },
  });
}

/** The subtrees' latest reports as one. */
function together(reports: readonly RoundReport[]): RoundReport {
  return {
    round: Math.max(...reports.map(({ round }) => round)),
    live: reports.reduce((sum, { live }) => sum + live, 0),
    finished: reports.reduce((sum, { finished }) => sum + finished, 0),
    bestScore: reports.map(({ bestScore }) => bestScore).sort(compareScores)[0] ?? null,
  };
}
