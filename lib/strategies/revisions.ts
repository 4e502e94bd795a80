/**
 * Revisions: chains of whole solutions, each written with the latest attempts before it in view. Chains run side by
 * side; how many and how long is the ratio of parallel to sequential compute. A reviser also spoils right answers (38%
 * of them in the paper), so every attempt stays a candidate.
 *
 * Source: Snell et al. 2024, sec. 6: the four latest attempts; with a verifier the choice is made inside the chains and
 * then across them, with votes over all attempts at once. Cost: chains * length generations.
 */
import type { Branch, SearchTree } from "../engine/search-tree.js";
import type { Aggregation } from "../verifiers/aggregation.js";
import { rankByChains, rankByVotes } from "../verifiers/selection.js";
import { solutionsOf, wholeIfAny } from "../verifiers/solution.js";
import { afterAttempt, type Revision } from "./attempts.js";
import { checkRevisions, type RevisionOptions } from "./options.js";
import { roundOf, sideBySide } from "./rounds.js";
import { defineStrategy, type RoundReport, type Strategy } from "./strategy.js";

/** @throws {ThinkTreeError} INVALID_OPTION */
export function revisions(options: RevisionOptions): Strategy {
  const settings = checkRevisions(options);
  const { chains, length, select } = settings;
  return defineStrategy({
    name: "revisions",
    options: { ...settings },
    generations: chains * length,
    async explore(tree, context) {
      const plan: Plan = {
        ...context.revision,
        ...settings,
        aggregation: select === "verifier" ? context.aggregation : null,
      };
      const report = sideBySide(context.onRound);
      const firsts = tree.fork(tree.root, chains);
      const starts = tree.fork(tree.root, chains);
      const grown = await Promise.all(
        firsts.map(async (first, chain) => {
          const attempts = await growChain(tree, first, starts[chain]!, plan, report(chain));
          return solutionsOf(attempts, context.answerOf, plan.aggregation).map((solution) => ({ ...solution, chain }));
        }),
      );
      return wholeIfAny(grown.flat());
    },
    rank: select === "verifier" ? rankByChains : rankByVotes,
  });
}

interface Plan extends Revision {
  readonly length: number;
  readonly temperature?: number;
  /** Null: nothing is scored. */
  readonly aggregation: Aggregation | null;
}

/** `start` is the chain's own fork of the root: a view that does not grow out of the last attempt is put after it. */
async function growChain(
  tree: SearchTree,
  first: Branch,
  start: Branch,
  plan: Plan,
  onRound: (round: RoundReport) => void,
): Promise<Branch[]> {
  const begin = (view: readonly string[]) =>
    view.length > 0 ? tree.condition(start, view.join("")) : tree.fork(start, 1)[0]!;
  const { length, maxAttempts, temperature, aggregation } = plan;
  const attempts: Branch[] = [];
  let view: string[] = [];
  let attempt = first;
  for (;;) {
    await tree.extend([attempt], { temperature, steps: Infinity, score: aggregation !== null });
    if (aggregation !== null) await tree.score([attempt]);
    attempts.push(attempt);
    const last = attempts.length === length || tree.exhausted;
    onRound({ ...roundOf(attempts.length, attempts, aggregation), live: last ? 0 : 1 });
    if (last) break;

    // An attempt that was cut off is no example, and it had too little room: the oldest in view makes way.
    const shown = attempt.finished && attempt.text !== "";
    const separator = afterAttempt(attempt.text, plan);
    const grows = shown && view.length < maxAttempts;
    view = shown ? [...view, attempt.text + separator].slice(-maxAttempts) : view.slice(1);
    const next = grows ? tree.condition(attempt, separator) : begin(view);
    tree.release([attempt]);
    attempt = next;
  }
  tree.release([attempt, start]);
  return attempts;
}
