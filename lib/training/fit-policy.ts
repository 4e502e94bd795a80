/**
 * From calibration records to a policy: which strategy for which difficulty and budget.
 *
 * Owns: bins, the choice within each, its two-fold cross-validation.
 * Must not know: engines, files, how the records came about.
 *
 * Source: Snell et al. 2024, sec. 3.2 and 5: the strategy is chosen on one half of a bin's questions and measured on the
 * other, and the other way round. The final choice is made on both halves.
 */
import { seededRandom, shuffle } from "../evaluation/statistics.js";
import type { PolicyBin, PolicyEntry } from "../scheduler/policy.js";
import type { Contender } from "./records.js";

/** Every look at every question: which question, which difficulty. All looks at a question weigh as much as it. */
export type Looks = readonly (readonly number[])[];

export interface FitOptions {
  /** In generations, ascending. */
  readonly budgets: readonly number[];
  /**
   * Accuracy that may be given up for fewer tokens: of all contenders no worse than the best by more, the cheapest is
   * taken. 0 to 1.
   */
  readonly tolerance: number;
  readonly seed: number;
}

/**
 * The upper edges of bins that hold about as many looks each; equal difficulties stay together, so that there may be
 * fewer bins. The last edge is 1.
 */
export function quantileEdges(looks: Looks, bins: number): number[] {
  const weights = new Map<number, number>();
  for (const own of looks)
    for (const value of own) weights.set(value, (weights.get(value) ?? 0) + 1 / (own.length * looks.length));
  const values = [...weights.keys()].sort((a, b) => a - b);
  let below = 0;
  const gaps = values.slice(0, -1).map((value, i) => {
    below += weights.get(value)!;
    return { below, edge: (value + values[i + 1]!) / 2 };
  });
  const edges = Array.from({ length: bins - 1 }, (_, i) => {
    const wanted = (i + 1) / bins;
    const distance = (gap: (typeof gaps)[number]) => Math.abs(gap.below - wanted);
    return gaps.reduce<(typeof gaps)[number] | null>((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
  });
  return [...new Set(edges.flatMap((gap) => (gap ? [gap.edge] : []))), 1];
}

/** `edges`: the bins' upper ends, ascending, the last one 1. Bins that no look falls into are left out. */
export function fitBins(
  contenders: readonly Contender[],
  looks: Looks,
  edges: readonly number[],
  options: FitOptions,
): PolicyBin[] {
  const filled = weightedBins(looks, edges);
  return filled.map(({ upTo, weights }, i) => ({
    upTo: i === filled.length - 1 ? 1 : upTo,
    questions: weights.filter((weight) => weight > 0).length,
    entries: options.budgets.map((budget) => fitEntry(contenders, weights, budget, options)),
  }));
}

function fitEntry(
  contenders: readonly Contender[],
  weights: readonly number[],
  budget: number,
  options: FitOptions,
): PolicyEntry {
  const { chosen, right } = choose(contenders, weights, budget, options);
  const { low, high } = interval(right, weights, options.seed);
  return {
    budget,
    generations: chosen.generations,
    strategy: chosen.strategy,
    settings: chosen.settings,
    accuracy: weighted(right, weights),
    ...{ low, high },
    tokens: weighted(chosen.tokens, weights),
  };
}

/** What the choice for one bin does with a budget. */
interface Outcome {
  /** By all questions of the bin. */
  readonly chosen: Contender;
  /** Each question's outcome under the strategy that the other half of the questions chose. */
  readonly right: readonly number[];
  readonly tokens: readonly number[];
}

function choose(
  contenders: readonly Contender[],
  weights: readonly number[],
  budget: number,
  { tolerance, seed }: FitOptions,
): Outcome {
  const affordable = contenders.filter(({ generations }) => generations <= budget);
  const pick = (among: readonly number[]) => {
    const accuracy = ({ right }: Contender) => weighted(right, among);
    const best = surelyBest(affordable, among);
    const good = affordable.filter((one) => accuracy(one) >= accuracy(best) - tolerance);
    return good.reduce((a, b) => (weighted(b.tokens, among) < weighted(a.tokens, among) ? b : a));
  };
  const chosen = pick(weights);
  const fold = folds(weights.length, seed);
  const half = (side: number) => weights.map((weight, i) => (fold[i] === side ? weight : 0));
  const isEmpty = (some: readonly number[]) => some.every((weight) => weight === 0);
  const choices = [half(1), half(0)].map((others) => (isEmpty(others) ? chosen : pick(others)));
  return {
    chosen,
    right: weights.map((_, i) => choices[fold[i]!]!.right[i]!),
    tokens: weights.map((_, i) => choices[fold[i]!]!.tokens[i]!),
  };
}

/**
 * The best way to sample, unless a search beats it by more than two standard errors. Sampling is averaged over many
 * subsets and a search is one run a question: of a dozen searches, the luckiest is usually one error better than it is
 * (cf. the one-standard-error rule of Breiman et al. 1984).
 */
function surelyBest(contenders: readonly Contender[], weights: readonly number[]): Contender {
  const better = (a: Contender, b: Contender) => (weighted(b.right, weights) > weighted(a.right, weights) ? b : a);
  const averaged = contenders.filter(({ averaged }) => averaged);
  const usual = (averaged.length > 0 ? averaged : contenders).reduce(better);
  const surer = contenders.filter((one) => {
    const gain = one.right.map((right, i) => right - usual.right[i]!);
    return !one.averaged && weighted(gain, weights) > 2 * standardError(gain, weights);
  });
  return surer.reduce(better, usual);
}

/**
 * What the compute-optimal choice by these bins does for every question: its chance of a right answer and its tokens, the
 * strategy always chosen by the other half of the questions. The cost of looking is not counted, as in the paper.
 */
export function crossValidated(
  contenders: readonly Contender[],
  looks: Looks,
  edges: readonly number[],
  budget: number,
  options: FitOptions,
): { right: number[]; tokens: number[] } {
  const right = looks.map(() => 0);
  const tokens = looks.map(() => 0);
  for (const { weights } of weightedBins(looks, edges)) {
    const outcome = choose(contenders, weights, budget, options);
    for (const [i, weight] of weights.entries()) {
      right[i]! += weight * outcome.right[i]!;
      tokens[i]! += weight * outcome.tokens[i]!;
    }
  }
  return { right, tokens };
}

/** The bins that looks fall into, and how much of each question does. */
function weightedBins(looks: Looks, edges: readonly number[]): { upTo: number; weights: number[] }[] {
  const bins = edges.map((upTo, i) => {
    const from = edges[i - 1] ?? -Infinity;
    const holds = (value: number) => value >= from && (value < upTo || i === edges.length - 1);
    return { upTo, weights: looks.map((own) => own.filter(holds).length / Math.max(1, own.length)) };
  });
  return bins.filter(({ weights }) => weights.some((weight) => weight > 0));
}

/** 0 or 1 for each question, as many of each as can be. */
function folds(questions: number, seed: number): number[] {
  const sides = Array.from({ length: questions }, (_, i) => i % 2);
  shuffle(sides, seededRandom(seed));
  return sides;
}

function weighted(values: readonly number[], weights: readonly number[]): number {
  let [sum, total] = [0, 0];
  for (const [i, weight] of weights.entries()) {
    sum += weight * values[i]!;
    total += weight;
  }
  return sum / total;
}

function standardError(values: readonly number[], weights: readonly number[]): number {
  const middle = weighted(values, weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Math.sqrt(values.reduce((sum, value, i) => sum + (weights[i]! * (value - middle)) ** 2, 0)) / total;
}

/** 95%, percentile bootstrap over questions with their weights. */
function interval(values: readonly number[], weights: readonly number[], seed: number): { low: number; high: number } {
  const members = weights.flatMap((weight, i) => (weight > 0 ? [i] : []));
  const random = seededRandom(seed);
  const means = Array.from({ length: 1_000 }, () => {
    const drawn = members.map(() => members[Math.floor(random() * members.length)]!);
    return weighted(
      drawn.map((i) => values[i]!),
      drawn.map((i) => weights[i]!),
    );
  }).sort((a, b) => a - b);
  return { low: means[25]!, high: means[974]! };
}
