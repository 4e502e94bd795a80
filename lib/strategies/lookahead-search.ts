/**
 * Lookahead search: beam search whose candidates are judged by where they lead. Each is rolled out greedily for up to
 * k = lookahead further steps, and the score at the rollout's end is the candidate's. The rollout's score counts; its
 * text does not: the search goes on from the candidate.
 *
 * Source: Snell et al. 2024, sec. 5.2; they used k = 1 and 3. k = 0 is beam search. Cost: n * (k + 1) generations.
 */
import { rankByWeightedScore } from "../verifiers/selection.js";
import { scoreOf, solutionsOf } from "../verifiers/solution.js";
import type { Aggregation } from "../verifiers/aggregation.js";
import { growBeams, scored, type Appraise } from "./beam-search.js";
import { checkBeam, checkCount, type BeamOptions } from "./options.js";
import { canGrow, defineStrategy, type Strategy } from "./strategy.js";

export interface LookaheadOptions extends BeamOptions {
  /** k: the most steps a rollout may have. 0 to 65,536. */
  readonly lookahead: number;
}

/** @throws {ThinkTreeError} INVALID_OPTION */
export function lookaheadSearch(options: LookaheadOptions): Strategy {
  const settings = checkBeam(options);
  const lookahead = checkCount("lookahead", options.lookahead, 0);
  return defineStrategy({
    name: "lookahead",
    options: { ...settings, lookahead },
    generations: settings.n * (lookahead + 1),
    async explore(tree, { answerOf, onRound, aggregation }) {
      const appraise = lookahead > 0 ? rollOut(lookahead, aggregation) : scored(aggregation);
      const ended = await growBeams(tree, tree.root, settings, onRound, appraise);
      return solutionsOf(ended, answerOf, aggregation);
    },
    rank: rankByWeightedScore,
  });
}

function rollOut(steps: number, aggregation: Aggregation): Appraise {
  return async (tree, branches) => {
    // Where each branch is judged: at its rollout's end, or where it stands if it cannot grow.
    const ends = branches.map((branch) => (canGrow(branch) ? tree.fork(branch, 1)[0]! : branch));
    const rollouts = ends.filter(canGrow);
    await tree.extend(rollouts, { steps, temperature: 0, score: true });
    await tree.score(rollouts);
    tree.release(rollouts);
    return ends.map((end) => scoreOf(end, aggregation));
  };
}
