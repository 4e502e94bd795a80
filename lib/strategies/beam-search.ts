/**
 * Beam search over steps: of n candidates keep the n / beamWidth that the verifier scores best, continue each of them
 * beamWidth times, and so on until all are whole solutions; then best-of-N weighted over every whole solution met.
 *
 * Source: Snell et al. 2024, sec. 5.2; they swept beamWidth over 4 and sqrt(n). Cost: n generations, for no round
 * writes more than n steps.
 */
import type { Branch, SearchTree } from "../engine/search-tree.js";
import type { Aggregation } from "../verifiers/aggregation.js";
import { compareScores, rankByWeightedScore } from "../verifiers/selection.js";
import { scoreOf, solutionsOf } from "../verifiers/solution.js";
import { checkBeamSearch, type BeamSearchOptions, type BeamSettings } from "./options.js";
import { canGrow, defineStrategy, type SearchContext, type Strategy } from "./strategy.js";

/** @throws {ThinkTreeError} INVALID_OPTION */
export function beamSearch(options: BeamSearchOptions): Strategy {
  const settings = checkBeamSearch(options);
  return defineStrategy({
    name: "beam",
    options: { ...settings },
    generations: settings.n,
    async explore(tree, { answerOf, onRound, aggregation }) {
      const ended = await growBeams(tree, tree.root, settings, onRound, scored(aggregation));
      return solutionsOf(ended, answerOf, aggregation);
    },
    rank: rankByWeightedScore,
  });
}

/** What each branch is worth to the search: a score in [0, 1], or null if unknown. The branches are scored already. */
export type Appraise = (tree: SearchTree, branches: readonly Branch[]) => Promise<(number | null)[]>;

export function scored(aggregation: Aggregation): Appraise {
  return (_, branches) => Promise.resolve(branches.map((branch) => scoreOf(branch, aggregation)));
}

/** The search itself, from `start` up to the choice: every branch that ended, whole or stuck, and those still growing at the end. */
export async function growBeams(
  tree: SearchTree,
  start: Branch,
  { n, beamWidth, maxRounds, temperature, workAhead = false }: BeamSettings,
  onRound: SearchContext["onRound"],
  appraise: Appraise,
): Promise<Branch[]> {
  const keep = n / beamWidth;
  const ended: Branch[] = [];
  // Whole solutions among the survivors. They hold their places by their scores, and are never multiplied to fill them.
  let standing: Beam[] = [];
  let growing = tree.fork(start, n);
  for (let round = 1; growing.length > 0; round++) {
    const ahead = workAhead && round < maxRounds ? beamWidth : 0;
    await tree.extend(growing, { temperature, score: true, ahead });
    await tree.score(growing);
    const values = await appraise(tree, growing);

    const beams = growing.map((branch, i) => ({ branch, value: values[i] ?? null }));
    const rivals = [...standing, ...beams.filter(({ branch }) => branch.finished || canGrow(branch))];
    const survivors = rivals.sort((a, b) => compareScores(a.value, b.value)).slice(0, keep);
    standing = survivors.filter(({ branch }) => branch.finished);

    const last = round === maxRounds || tree.exhausted;
    const parents = last ? [] : survivors.filter(({ branch }) => !branch.finished);
    ended.push(...growing.filter((branch) => last || !canGrow(branch)));
    const children = parents.flatMap(({ branch }) => tree.fork(branch, beamWidth));
    tree.release(growing); // the pruned, the whole and the forked alike: their texts and scores stay readable
    growing = children;

    const finished = ended.filter((branch) => branch.finished).length;
    onRound?.({ round, live: growing.length, finished, bestScore: survivors[0]?.value ?? null });
  }
  return ended;
}

interface Beam {
  readonly branch: Branch;
  readonly value: number | null;
}
