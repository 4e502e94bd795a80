/**
 * Search over revised steps: a few whole attempts, then a beam search with the best of them in view. The verifier steers
 * the revision step by step instead of judging it at its end. Attempts and beams are one pool: best-of-N weighted.
 *
 * Source: the combination of search and revisions that Snell et al. 2024, sec. 8, leave open. Cost: attempts + n
 * generations.
 */
import type { Branch } from "../engine/search-tree.js";
import { compareScores, rankByWeightedScore } from "../verifiers/selection.js";
import { scoreOf, solutionsOf } from "../verifiers/solution.js";
import { afterAttempt } from "./attempts.js";
import { growBeams, scored } from "./beam-search.js";
import { checkBeam, checkCount, checkSeparator, type BeamOptions } from "./options.js";
import { after, roundOf } from "./rounds.js";
import { defineStrategy, type Strategy } from "./strategy.js";

export interface BeamAfterAttemptOptions extends BeamOptions {
  /** Attempts of which the best is shown to the beam search: 1 to 65,536. Default 1. */
  readonly attempts?: number;
  /** What asks for another attempt. Default: the generator's own, or plain words. */
  readonly separator?: string;
}

/** @throws {ThinkTreeError} INVALID_OPTION */
export function beamAfterAttempt(options: BeamAfterAttemptOptions): Strategy {
  const settings = checkBeam(options);
  const count = checkCount("attempts", options.attempts ?? 1);
  const words = checkSeparator(options.separator);
  return defineStrategy({
    name: "beam-after-attempt",
    options: { attempts: count, ...settings, ...words },
    generations: count + settings.n,
    async explore(tree, { answerOf, onRound, aggregation, revision }) {
      const attempts = tree.fork(tree.root, count);
      await tree.extend(attempts, { temperature: settings.temperature, steps: Infinity, score: true });
      await tree.score(attempts);
      const attempted = roundOf(1, attempts, aggregation);
      onRound?.(attempted);

      const value = (branch: Branch) => scoreOf(branch, aggregation);
      const [best] = attempts
        .filter(({ finished, text }) => finished && text !== "") // one that was cut off is no example
        .sort((a, b) => compareScores(value(a), value(b)));
      const start = best && tree.condition(best, afterAttempt(best.text, { ...revision, ...words }));
      tree.release(attempts);
      const beams = tree.exhausted
        ? []
        : await growBeams(tree, start ?? tree.root, settings, after(attempted, onRound), scored(aggregation));
      return solutionsOf([...attempts, ...beams], answerOf, aggregation);
    },
    rank: rankByWeightedScore,
  });
}
