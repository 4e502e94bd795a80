/**
 * The few statistics the tables show.
 *
 * Owns: medians, quantiles, bootstrap intervals, seeded chance. Must not know: what was measured.
 */

/** Linear between neighbours, as numpy's default. NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The 95% interval of the mean: percentile bootstrap over the values (Efron 1979). */
export function bootstrapInterval(values: readonly number[], random = seededRandom(1), resamples = 2000): Interval {
  const means = Array.from({ length: resamples }, () => {
    const draw = () => values[Math.floor(random() * values.length)]!;
    return values.reduce((sum) => sum + draw(), 0) / values.length;
  });
  return { low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

/** mulberry32: a number in [0, 1) a call. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A new array in random order (Fisher and Yates). */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
