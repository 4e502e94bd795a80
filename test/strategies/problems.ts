/**
 * Toy problems with a known right answer, and what every strategy's test needs to solve them.
 *
 * Owns: the trees and the ways to run a strategy on one. Must not know: how any strategy works.
 */
import fc from "fast-check";
import {
  beamAfterAttempt,
  beamSearch,
  bestOfN,
  dvts,
  lookaheadSearch,
  majorityVote,
  reviseSurvivors,
  revisions,
  weightedBestOfN,
  type RoundReport,
  type Strategy,
} from "../../lib/strategies/index.js";
import { answerExtractor } from "../../lib/verifiers/answer.js";
import type { Candidate } from "../../lib/verifiers/selection.js";
import { ToyTree, type ToyOptions, type ToyStep, type ToySteps } from "../support/toy-tree.js";

export const answerOf = answerExtractor({ answerPrefix: "A:" });

export interface Outcome {
  readonly tree: ToyTree;
  readonly candidates: Candidate[];
  readonly rounds: RoundReport[];
}

export async function solve(strategy: Strategy, steps: ToySteps, options: ToyOptions = {}): Promise<Outcome> {
  const tree = new ToyTree(steps, options);
  const rounds: RoundReport[] = [];
  const solutions = await strategy.explore(tree, { answerOf, onRound: (round) => rounds.push(round) });
  return { tree, candidates: strategy.rank(solutions), rounds };
}

/** How many of the seeds 1 to `seeds` end with the answer "right". */
export async function solved(strategy: Strategy, steps: ToySteps, seeds = 40): Promise<number> {
  let right = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const { candidates } = await solve(strategy, steps, { seed });
    if (candidates[0]!.answer === "right") right++;
  }
  return right;
}

export const right = (score: number): ToyStep => ({ text: "A: right\n", score });
export const wrong = (score: number): ToyStep => ({ text: "A: wrong\n", score });

/** Six steps, each right with probability 0.3; a slip is never made good, and the verifier sees it at once. */
export function needle(depth = 6, slipped = false): ToySteps {
  if (depth === 0) return slipped ? [wrong(0.1)] : [right(0.9)];
  if (slipped) return [{ text: "slip\n", score: 0.1, then: () => resolve(needle(depth - 1, true)) }];
  return [
    { text: "good\n", probability: 3, score: 0.9, then: () => resolve(needle(depth - 1)) },
    { text: "slip\n", probability: 7, score: 0.1, then: () => resolve(needle(depth - 1, true)) },
  ];
}

/** A chain without a choice: `depth` steps, the last one the answer. */
export function chain(depth: number, score = 0.5): ToySteps {
  return depth === 1 ? [right(score)] : [{ text: "on\n", score, then: () => resolve(chain(depth - 1, score)) }];
}

const resolve = (steps: ToySteps) => (typeof steps === "function" ? steps() : steps);

/** Deepest path of `anyToy`, in steps. */
export const maxDepth = 4;

/** Any tree: up to three ways on from each step, three answers, some solutions without one. */
export function anyToy(depth = maxDepth): fc.Arbitrary<ToyStep[]> {
  const details = {
    probability: fc.integer({ min: 1, max: 5 }),
    score: fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10),
    tokens: fc.integer({ min: 1, max: 3 }),
  };
  const end = fc.record({ ...details, text: fc.constantFrom("A: 1\n", "A: 2\n", "A: 3\n", "no answer\n") });
  const step: fc.Arbitrary<ToyStep> =
    depth === 1
      ? end
      : fc.oneof(end, fc.record({ ...details, text: fc.constantFrom("a\n", "b\n"), then: anyToy(depth - 1) }));
  return fc.array(step, { minLength: 1, maxLength: 3 });
}

/** Every strategy at a size where N, M and N / M differ. */
export const everyStrategy: readonly Strategy[] = [
  majorityVote({ n: 12 }),
  bestOfN({ n: 12 }),
  weightedBestOfN({ n: 12, aggregation: "min" }),
  beamSearch({ n: 12, beamWidth: 3 }),
  beamSearch({ n: 4, beamWidth: 4, aggregation: "product" }),
  lookaheadSearch({ n: 6, beamWidth: 3, lookahead: 2 }),
  dvts({ n: 12, beamWidth: 3, aggregation: "mean" }),
  revisions({ chains: 2, length: 6, aggregation: "min" }),
  revisions({ chains: 4, length: 3, select: "majority" }),
  reviseSurvivors({ search: beamSearch({ n: 9, beamWidth: 3, aggregation: "product" }), revise: 3 }),
  beamAfterAttempt({ attempts: 2, n: 9, beamWidth: 3 }),
];

/** Votes need no verifier. */
export const scoring = everyStrategy.filter(
  ({ name, options }) => name !== "majority" && options["select"] !== "majority",
);

export const anyStrategy: fc.Arbitrary<Strategy> = fc.constantFrom(...everyStrategy);
