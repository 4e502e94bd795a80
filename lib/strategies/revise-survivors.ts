/**
 * Revise the survivors: any search, then another attempt at the best solution of each of its best answers, written with
 * that solution in view. Found and revised solutions are one pool, ranked as the search ranks.
 *
 * Rivals are revised, not copies: where all solutions agree, there is one revision. Source: the combination that Snell
 * et al. 2024, sec. 8, leave open. Cost: the search's own, and `revise` generations.
 */
import type { Aggregation } from "../verifiers/aggregation.js";
import type { Candidate } from "../verifiers/selection.js";
import { solutionsOf, wholeIfAny } from "../verifiers/solution.js";
import { afterAttempt } from "./attempts.js";
import { checkCount, checkSeparator, checkTemperature } from "./options.js";
import { after, roundOf } from "./rounds.js";
import { defineStrategy, type RoundReport, type Strategy } from "./strategy.js";

export interface ReviseSurvivorsOptions {
  readonly search: Strategy;
  /** Revisions: of so many answers the best solution is revised. 1 to 65,536. */
  readonly revise: number;
  /** What asks for another attempt. Default: the generator's own, or plain words. */
  readonly separator?: string;
  /** Of the revisions. 0 (greedy) or more. Default: the tree's own. */
  readonly temperature?: number | undefined;
}

/** @throws {ThinkTreeError} INVALID_OPTION */
export function reviseSurvivors({ search, ...options }: ReviseSurvivorsOptions): Strategy {
  const revise = checkCount("revise", options.revise);
  const words = checkSeparator(options.separator);
  const sampling = checkTemperature(options.temperature);
  return defineStrategy({
    name: "revise-survivors",
    options: { search: { name: search.name, ...search.options }, revise, ...words, ...sampling },
    generations: search.generations + revise,
    async explore(tree, context) {
      let searched: RoundReport = { round: 0, live: 0, finished: 0, bestScore: null };
      const onRound = (round: RoundReport) => context.onRound?.((searched = round));
      const found = await search.explore(tree, { ...context, onRound });
      const survivors = bestOfEachAnswer(search.rank(found)).slice(0, revise);
      if (survivors.length === 0 || tree.exhausted) return found;

      const revision = { ...context.revision, ...words };
      const revised = survivors.map(({ text }) => tree.condition(tree.root, text + afterAttempt(text, revision)));
      const score = found.some((solution) => solution.score !== null); // a vote needs no verifier, and may have none
      await tree.extend(revised, { ...sampling, steps: Infinity, score });
      if (score) await tree.score(revised);

      const usual = (search.options["aggregation"] as Aggregation | undefined) ?? context.aggregation;
      const aggregation = score ? usual : null;
      after(searched, context.onRound)(roundOf(1, revised, aggregation));
      return wholeIfAny([...found, ...solutionsOf(revised, context.answerOf, aggregation)]);
    },
    rank: (solutions) => search.rank(solutions),
  });
}

/** Whole solutions only: one that was cut off is no example. Those without an answer differ by their texts. */
function bestOfEachAnswer(candidates: readonly Candidate[]): Candidate[] {
  const best = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const answer = candidate.answer ?? candidate.text;
    if (candidate.finished && candidate.text !== "" && !best.has(answer)) best.set(answer, candidate);
  }
  return [...best.values()];
}
