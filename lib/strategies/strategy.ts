/**
 * What a search method is.
 *
 * Owns: the interface of a strategy, and the promise that a search leaves no branch behind.
 * Must not know: any one strategy, tokens, KV cells, sequences.
 */
import type { Branch, SearchTree } from "../engine/search-tree.js";
import type { Aggregation } from "../verifiers/aggregation.js";
import type { Candidate } from "../verifiers/selection.js";
import type { AnswerOf, Solution } from "../verifiers/solution.js";
import { usualRevision, type Revision } from "./attempts.js";
import { ScopedTree } from "./scoped-tree.js";

/** Grows a tree of solution steps and chooses among the solutions. Made by a factory such as `beamSearch`; reusable. */
export interface Strategy {
  readonly name: string;
  /** Plain JSON: what a report shows. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Hard cap on the cost of one search, in generations: text worth so many whole solutions of the longest length. */
  readonly generations: number;
  /**
   * Grows the tree. Every solution met, in the order of finding and never none: whole ones, or the partial ones at hand
   * where a budget or deadline ended the search before any was whole. Every branch made is released again, whether the
   * search succeeds or throws what the tree threw.
   */
  explore(tree: SearchTree, context: SearchContext): Promise<Solution[]>;
  /**
   * Chooses: each solution once, best first. Pure, and may be given more than `explore` found: a scheduler pools what
   * several searches met.
   */
  rank(solutions: readonly Solution[]): Candidate[];
}

export interface SearchContext {
  readonly answerOf: AnswerOf;
  /** The verifier's own, for strategies that were not told one. Default "last". */
  readonly aggregation?: Aggregation | undefined;
  /** How the generator is asked for another attempt, for strategies that were not told. Default: in plain words. */
  readonly revision?: Revision | undefined;
  /** Called after every round: each time the growing branches have written and been scored. */
  readonly onRound?: (round: RoundReport) => void;
}

export interface RoundReport {
  /** From 1. */
  readonly round: number;
  /** Branches that go on growing. */
  readonly live: number;
  /** Whole solutions so far. */
  readonly finished: number;
  /** The best score among the branches in the competition, in [0, 1]; null if none is scored. */
  readonly bestScore: number | null;
}

/** What a strategy's parts are given: nothing that has a default is missing. */
export interface SettledContext extends SearchContext {
  readonly aggregation: Aggregation;
  readonly revision: Revision;
}

/** What `defineStrategy` is given. */
interface StrategyParts extends Omit<Strategy, "explore"> {
  readonly options: Readonly<Record<string, unknown>> & { readonly aggregation?: Aggregation };
  explore(tree: SearchTree, context: SettledContext): Promise<Solution[]>;
}

/** A strategy out of its parts. `explore` need not release what it holds at its end. */
export function defineStrategy(parts: StrategyParts): Strategy {
  return Object.freeze({
    ...parts,
    options: Object.freeze({ ...parts.options }),
    async explore(tree: SearchTree, context: SearchContext) {
      const scope = new ScopedTree(tree);
      try {
        const aggregation = parts.options.aggregation ?? context.aggregation ?? "last";
        const revision = context.revision ?? usualRevision;
        return await parts.explore(scope, { ...context, aggregation, revision });
      } finally {
        await scope.close();
      }
    },
  });
}

/** True if extending the branch can write more: it is neither whole nor stuck at a limit. */
export function canGrow(branch: Branch): boolean {
  return branch.finishReason === null || branch.finishReason === "step";
}
