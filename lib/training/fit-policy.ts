/**
 * From calibration records to a policy: which strategy for which difficulty and budget.
 *
 * Owns: bins, the choice within each, its two-fold cross-validation.
 * Must not know: engines, files, how the records came about.
 *
 * Source: Snell et al. 2024, sec. 3.2 and 5: the strategy is chosen on one half of a bin's questions and measured on the
 * other, and the other way round. The final choice is made on both halves.
 */
import { mean, seededRandom, shuffle } from "../evaluation/statistics.js";
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
  const chosen = options.budgets.map((budget) => choose(contenders, filled, budget, options));
  return filled.map(({ upTo, weights }, i) => ({
    upTo: i === filled.length - 1 ? 1 : upTo,
    questions: weights.filter((weight) => weight > 0).length,
    entries: options.budgets.map((budget, at) => entryOf(chosen[at]![i]!, weights, budget, options)),
  }));
}

function entryOf(
  { chosen, right }: Outcome,
  weights: readonly number[],
  budget: number,
  { seed }: FitOptions,
): PolicyEntry {
  const { low, high } = interval(right, weights, seed);
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

interface Bin {
  readonly upTo: number;
  /** How much of each question falls into it. */
  readonly weights: readonly number[];
}

/** What the choice for one bin does with a budget. */
interface Outcome {
  /** By all questions of the bin. */
  readonly chosen: Contender;
  /** Each question's outcome under the strategy that the other half of the questions chose. */
  readonly right: readonly number[];
  readonly tokens: readonly number[];
}

/** For every bin. */
function choose(
  contenders: readonly Contender[],
  bins: readonly Bin[],
  budget: number,
  { tolerance, seed }: FitOptions,
): Outcome[] {
  const affordable = contenders.filter(({ generations }) => generations <= budget);
  const questions = contenders[0]!.right.length;
  const fold = folds(questions, seed);
  const pick = (counts: (question: number) => boolean) => {
    const among = bins.map(({ weights }) => weights.map((weight, i) => (counts(i) ? weight : 0)));
    return bestIn(affordable, among, tolerance);
  };
  const chosen = pick(() => true);
  const byOthers = [pick((i) => fold[i] === 1), pick((i) => fold[i] === 0)];
  return bins.map(({ weights }, bin) => {
    const choices = byOthers.map((picked) => picked[bin] ?? chosen[bin]!);
    return {
      chosen: chosen[bin]!,
      right: weights.map((_, i) => choices[fold[i]!]!.right[i]!),
      tokens: weights.map((_, i) => choices[fold[i]!]!.tokens[i]!),
    };
  });
}

/** Of all contenders no worse than the best by more than the tolerance, the cheapest; null for a bin without questions. */
function bestIn(
  contenders: readonly Contender[],
  bins: readonly (readonly number[])[],
  tolerance: number,
): (Contender | null)[] {
  const usual = contenders[0]!.right.map((_, i) => mean(contenders.map(({ right }) => right[i]!)));
  const gains = new Map(contenders.map((one) => [one, shrunk(difference(one.right, usual), bins)]));
  return bins.map((weights, bin) => {
    if (isEmpty(weights)) return null;
    const gain = (one: Contender) => gains.get(one)![bin]!.gain;
    const best = surelyBest(contenders, bins, bin, gain);
    const good = contenders.filter((one) => gain(one) >= gain(best) - tolerance);
    return good.reduce((a, b) => (weighted(b.tokens, weights) < weighted(a.tokens, weights) ? b : a));
  });
}

/** What a bin's questions tell of a gain, and how sure that is. */
interface Shrunk {
  readonly gain: number;
  /** Its standard error. */
  readonly error: number;
}

/**
 * A gain in each bin, as far as the bin's questions can tell. Bins are small and contenders many: that one of them shines in
 * one bin is mostly luck. So the gain is drawn from what it is in the bin towards what it is everywhere, the more, the less
 * gains differ between bins beyond their standard errors (empirical Bayes: Efron and Morris 1975).
 */
function shrunk(gains: readonly number[], bins: readonly (readonly number[])[]): Shrunk[] {
  const filled = bins.filter((weights) => !isEmpty(weights));
  const all = gains.map((_, i) => sum(filled.map((weights) => weights[i]!)));
  const everywhere = weighted(gains, all);
  const scattered = filled.map((weights) => {
    const middle = weighted(gains, weights);
    return sum(gains.map((gain, i) => weights[i]! * (gain - middle) ** 2));
  });
  const variance = sum(scattered) / Math.max(1, sum(all) - filled.length); // of one question, the same in every bin
  const squaredError = (weights: readonly number[]) => variance / sizeOf(weights);
  const apart = sum(filled.map((weights) => (weighted(gains, weights) - everywhere) ** 2));
  const real = filled.length > 1 ? apart / (filled.length - 1) - mean(filled.map(squaredError)) : Infinity;
  return bins.map((weights) => {
    if (isEmpty(weights)) return { gain: everywhere, error: Infinity };
    const trust = real === Infinity ? 1 : real <= 0 ? 0 : real / (real + squaredError(weights));
    const own = weighted(gains, weights);
    const error = Math.hypot(trust * Math.sqrt(squaredError(weights)), (1 - trust) * Math.sqrt(squaredError(all)));
    return { gain: everywhere + trust * (own - everywhere), error };
  });
}

/**
 * The best way to sample, unless a search beats it by more than a standard error. Sampling is averaged over many subsets
 * and a search is one run a question: of a dozen searches, the luckiest would otherwise be taken for the best (cf. the
 * one-standard-error rule of Breiman et al. 1984).
 */
function surelyBest(
  contenders: readonly Contender[],
  bins: readonly (readonly number[])[],
  bin: number,
  gain: (one: Contender) => number,
): Contender {
  const better = (a: Contender, b: Contender) => (gain(b) > gain(a) ? b : a);
  const averaged = contenders.filter(({ averaged }) => averaged);
  const usual = (averaged.length > 0 ? averaged : contenders).reduce(better);
  const surer = contenders.filter((one) => {
    const { error } = shrunk(difference(one.right, usual.right), bins)[bin]!;
    return !one.averaged && gain(one) - gain(usual) > error;
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
  const bins = weightedBins(looks, edges);
  const outcomes = choose(contenders, bins, budget, options);
  for (const [bin, { weights }] of bins.entries()) {
    for (const [i, weight] of weights.entries()) {
      right[i]! += weight * outcomes[bin]!.right[i]!;
      tokens[i]! += weight * outcomes[bin]!.tokens[i]!;
    }
  }
  return { right, tokens };
}

/** The bins that looks fall into, and how much of each question does. */
function weightedBins(looks: Looks, edges: readonly number[]): Bin[] {
  const bins = edges.map((upTo, i) => {
    const from = edges[i - 1] ?? -Infinity;
    const holds = (value: number) => value >= from && (value < upTo || i === edges.length - 1);
    return { upTo, weights: looks.map((own) => own.filter(holds).length / Math.max(1, own.length)) };
  });
  return bins.filter(({ weights }) => weights.some((weight) => weight > 0));
}

function isEmpty(weights: readonly number[]): boolean {
  return weights.every((weight) => weight === 0);
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

/** As many questions as these weights are worth. */
function sizeOf(weights: readonly number[]): number {
  return sum(weights) ** 2 / sum(weights.map((weight) => weight ** 2));
}

function difference(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value - b[i]!);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
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
