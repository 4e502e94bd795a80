/**
 * Reports of rounds: of branches that were written to their ends, of searches that run side by side, of one search
 * after another.
 *
 * Owns: the sums. Must not know: any strategy.
 */
import type { Branch } from "../engine/search-tree.js";
import type { Aggregation } from "../verifiers/aggregation.js";
import { compareScores } from "../verifiers/selection.js";
import { scoreOf } from "../verifiers/solution.js";
import type { RoundReport, SearchContext } from "./strategy.js";

type Report = (round: RoundReport) => void;

/** What there is to tell of branches that write no further. `aggregation` is null where nobody scored. */
export function roundOf(round: number, branches: readonly Branch[], aggregation: Aggregation | null): RoundReport {
  return {
    round,
    live: 0,
    finished: branches.filter(({ finished }) => finished).length,
    bestScore: best(branches.map((branch) => aggregation && scoreOf(branch, aggregation))),
  };
}

/** One reporter for each of the searches that run at once; what is passed on are their latest reports as one. */
export function sideBySide(onRound: SearchContext["onRound"]): (search: number) => Report {
  const latest = new Map<number, RoundReport>();
  return (search) => (report) => {
    latest.set(search, report);
    const reports = [...latest.values()];
    onRound?.({
      round: Math.max(...reports.map(({ round }) => round)),
      live: reports.reduce((sum, { live }) => sum + live, 0),
      finished: reports.reduce((sum, { finished }) => sum + finished, 0),
      bestScore: best(reports.map(({ bestScore }) => bestScore)),
    });
  };
}

/** A reporter for a search that comes after `earlier`, whose rounds and solutions count. */
export function after(earlier: RoundReport, onRound: SearchContext["onRound"]): Report {
  return (report) =>
    onRound?.({
      round: earlier.round + report.round,
      live: report.live,
      finished: earlier.finished + report.finished,
      bestScore: best([earlier.bestScore, report.bestScore]),
    });
}

function best(scores: readonly (number | null)[]): number | null {
  return [...scores].sort(compareScores)[0] ?? null;
}
