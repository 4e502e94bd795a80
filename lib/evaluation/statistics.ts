/**
 * The few statistics that evaluations are reported with.
 *
 * Owns: bootstrap intervals, rank correlation, bins, seeded chance.
 * Must not know: what was measured.
 */
import { mean as meanOf, quantileSorted, sampleRankCorrelation } from "simple-statistics";

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A mean with its 95% interval. */
export interface Estimate extends Interval {
  readonly mean: number;
}

const usualResamples = 2_000;

/** NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? NaN : meanOf(values);
}

/**
 * The mean of the values with its 95% interval: percentile bootstrap over the values (Efron 1979), which are of
 * different questions. Seeded: the same values give the same interval.
 */
export function bootstrap(values: readonly number[], seed = 1, resamples = usualResamples): Estimate {
  return bootstrapOfMeans([values], ([mean]) => mean!, seed, resamples);
}

/**
 * A figure made of the means of several groups, with its 95% interval: each group is resampled by itself, so that their
 * sizes stay what they are. NaN if a group is empty.
 */
export function bootstrapOfMeans(
  groups: readonly (readonly number[])[],
  figure: (means: readonly number[]) => number,
  seed = 1,
  resamples = usualResamples,
): Estimate {
  if (groups.some(({ length }) => length === 0)) return { mean: NaN, low: NaN, high: NaN };
  const random = seededRandom(seed);
  const figures = Float64Array.from({ length: resamples }, () =>
    figure(groups.map((group) => resampled(group, random))),
  );
  figures.sort();
  return { mean: figure(groups.map(mean)), low: quantileOf(figures, 0.025), high: quantileOf(figures, 0.975) };
}

/** The mean of as many of the values, drawn with replacement. */
function resampled(values: readonly number[], random: () => number): number {
  let sum = 0;
  for (let left = values.length; left > 0; left--) sum += values[Math.floor(random() * values.length)]!;
  return sum / values.length;
}

/** The mean of a - b with its 95% interval, question by question: `a[i]` and `b[i]` are of the same question. */
export function bootstrapDifference(
  a: readonly number[],
  b: readonly number[],
  seed = 1,
  resamples = usualResamples,
): Estimate {
  return bootstrap(
    a.map((value, i) => value - b[i]!),
    seed,
    resamples,
  );
}

/** Spearman's, in [-1, 1]; equal values share a rank. NaN if all of a side are equal, or of fewer than two pairs. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  return a.length < 2 ? NaN : sampleRankCorrelation(a, b);
}

/**
 * The bin of each value, 0 for the lowest, in bins of as equal size as can be (Snell et al. 2024, sec. 3.2, has five).
 * Equal values may part at an edge: the earlier goes to the lower bin.
 */
export function quantileBins(values: readonly number[], bins: number): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]! || i - j);
  const result = new Array<number>(values.length);
  order.forEach((index, rank) => (result[index] = Math.floor((rank * bins) / values.length)));
  return result;
}

/** mulberry32: a number in [0, 1) a call. `seed`: an integer, of which the low 32 bits count. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Puts an array in random order, in place (Fisher and Yates). */
export function shuffle<T>(values: { [index: number]: T; readonly length: number }, random: () => number): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
}

function quantileOf(sorted: Float64Array, share: number): number {
  return quantileSorted(sorted as unknown as number[], share);
}
