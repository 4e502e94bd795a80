/**
 * Rankings: from solutions to candidates, best first.
 *
 * Owns: votes, sums of scores, and every tie.
 * Must not know: where solutions come from, what a score means.
 *
 * Every ranking is pure and returns each solution once. A solution without an answer votes for nobody and comes behind
 * all that have one. Equal weights are ordered by the best score (unknown is lowest), then by votes where answers are
 * grouped, then by who was seen first.
 */
import type { Solution } from "./solution.js";

export interface Candidate extends Solution {
  /**
   * What it was ranked by: its answer's votes, its own score, or its answer's summed scores, of
   * all solutions or of those that stand for their chains. 0 without an answer.
   */
  readonly weight: number;
}

/** Self-consistency (Wang et al. 2022): the answer most solutions agree on. */
export function rankByVotes(solutions: readonly Solution[]): Candidate[] {
  return rankByAnswer(solutions, (group) => group.length);
}

/** Plain best-of-N: the best-scored solution. */
export function rankByScore(solutions: readonly Solution[]): Candidate[] {
  return solutions
    .map((solution) => ({ ...solution, weight: solution.answer === null ? 0 : (solution.score ?? 0) }))
    .sort((a, b) => Number(a.answer === null) - Number(b.answer === null) || compareScores(a.score, b.score));
}

/** Best-of-N weighted (Li et al. 2023; Snell et al. 2024, sec. 5.1): the answer with the largest sum of scores. */
export function rankByWeightedScore(solutions: readonly Solution[]): Candidate[] {
  return rankByAnswer(solutions, sumOfScores);
}

/**
 * Chains of revisions (Snell et al. 2024, sec. 6): best-of-N weighted inside each chain, where the best-scored solution
 * with the winning answer stands for the chain; then best-of-N weighted among those. So a chain has one voice, however
 * often it repeats itself. A solution without a chain is a chain of one. An answer that stands for no chain weighs 0.
 */
export function rankByChains(solutions: readonly Solution[]): Candidate[] {
  const chains = new Map<number | Solution, Solution[]>();
  for (const solution of solutions) {
    const chain = solution.chain ?? solution;
    chains.set(chain, [...(chains.get(chain) ?? []), solution]);
  }
  const standing = new Set([...chains.values()].map((chain) => byAnswer(chain, sumOfScores)[0]!.solution));
  return rankByAnswer(solutions, (group) => sumOfScores(group.filter((solution) => standing.has(solution))));
}

/** For sorting best first. An unknown score is lower than any other. */
export function compareScores(a: number | null, b: number | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return b - a;
}

type Weigh = (group: readonly Solution[]) => number;

const sumOfScores: Weigh = (group) => group.reduce((sum, { score }) => sum + (score ?? 0), 0);

function rankByAnswer(solutions: readonly Solution[], weigh: Weigh): Candidate[] {
  return byAnswer(solutions, weigh).map(({ solution, weight }) => ({ ...solution, weight }));
}

function byAnswer(solutions: readonly Solution[], weigh: Weigh): { solution: Solution; weight: number }[] {
  const groups = new Map<string, Solution[]>();
  for (const solution of solutions) {
    if (solution.answer === null) continue;
    const group = groups.get(solution.answer);
    if (group) group.push(solution);
    else groups.set(solution.answer, [solution]);
  }
  const bestFirst = (group: readonly Solution[]) => [...group].sort((a, b) => compareScores(a.score, b.score));
  const ranked = [...groups.values()]
    .map((group) => ({ members: bestFirst(group), weight: weigh(group) }))
    .sort(
      (a, b) =>
        b.weight - a.weight ||
        compareScores(a.members[0]!.score, b.members[0]!.score) ||
        b.members.length - a.members.length,
    );
  const answerless = bestFirst(solutions.filter((solution) => solution.answer === null));
  return [...ranked, { members: answerless, weight: 0 }].flatMap(({ members, weight }) =>
    members.map((solution) => ({ solution, weight })),
  );
}
