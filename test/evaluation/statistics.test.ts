/** The statistics behind every figure, against values known otherwise. */
import { describe, expect, it } from "vitest";
import {
  bootstrap,
  bootstrapDifference,
  mean,
  quantileBins,
  rankCorrelation,
  seededRandom,
  shuffle,
} from "../../lib/evaluation/statistics.js";

describe("bootstrap", () => {
  it("covers the truth in about 95% of intervals", () => {
    const random = seededRandom(5);
    const covered = Array.from({ length: 300 }, (_, seed) => {
      const sample = Array.from({ length: 100 }, () => (random() < 0.3 ? 1 : 0));
      const { low, high } = bootstrap(sample, seed, 300);
      return low <= 0.3 && 0.3 <= high;
    }).filter(Boolean).length;
    expect(covered / 300).toBeGreaterThan(0.9);
    expect(covered / 300).toBeLessThan(0.99);
  });

  it("is about as wide as the normal approximation says, around the mean, the same every time", () => {
    const values = Array.from({ length: 200 }, (_, i) => Number(i % 4 === 0));
    const found = bootstrap(values);
    expect(found.mean).toBe(0.25);
    const half = 1.96 * Math.sqrt((0.25 * 0.75) / 200);
    expect(found.low).toBeCloseTo(0.25 - half, 2);
    expect(found.high).toBeCloseTo(0.25 + half, 2);
    expect(bootstrap(values)).toEqual(found);
    expect(bootstrap(values, 2)).not.toEqual(found);
  });

  it("knows nothing of nothing, and no doubt of one", () => {
    expect(bootstrap([])).toEqual({ mean: NaN, low: NaN, high: NaN });
    expect(mean([])).toBeNaN();
    expect(bootstrap([0.5])).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
  });

  it("pairs: a small difference on every question is certain, though both vary", () => {
    const random = seededRandom(1);
    const a = Array.from({ length: 50 }, random);
    const b = a.map((value) => value - 0.01);
    const { mean, low, high } = bootstrapDifference(a, b);
    for (const value of [mean, low, high]) expect(value).toBeCloseTo(0.01, 10);
  });
});

describe("rankCorrelation", () => {
  it("is Spearman's, with shared ranks", () => {
    expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 400])).toBeCloseTo(1);
    expect(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])).toBeCloseTo(-1);
    expect(rankCorrelation([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(0.9486832980505138); // scipy.stats.spearmanr
    expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(rankCorrelation([1], [1])).toBeNaN();
  });
});

describe("quantileBins", () => {
  it("are of equal size, lowest first, whatever the order", () => {
    expect(quantileBins([5, 1, 4, 2, 3], 5)).toEqual([4, 0, 3, 1, 2]);
    expect(quantileBins([0.9, 0.1, 0.5, 0.2], 2)).toEqual([1, 0, 1, 0]);
    const random = seededRandom(3);
    const values = Array.from({ length: 503 }, random);
    const bins = quantileBins(values, 5);
    for (let bin = 0; bin < 5; bin++) {
      const members = values.filter((_, i) => bins[i] === bin);
      expect([100, 101]).toContain(members.length);
      expect(Math.max(...members)).toBeLessThan(Math.min(...values.filter((_, i) => bins[i]! > bin), Infinity));
    }
  });

  it("parts equal values by their order", () => {
    expect(quantileBins([1, 1, 1, 1], 2)).toEqual([0, 0, 1, 1]);
    expect(quantileBins([], 5)).toEqual([]);
  });
});

describe("shuffle", () => {
  it("loses nothing, and is the same for the same seed", () => {
    const shuffled = (seed: number) => {
      const values = [1, 2, 3, 4, 5, 6, 7, 8];
      shuffle(values, seededRandom(seed));
      return values;
    };
    expect(shuffled(1)).toEqual(shuffled(1));
    expect(shuffled(1)).not.toEqual(shuffled(2));
    expect(shuffled(1).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("puts each value anywhere equally often", () => {
    const random = seededRandom(9);
    const seen = new Array<number>(4).fill(0);
    for (let i = 0; i < 8_000; i++) {
      const values = [0, 1, 2, 3];
      shuffle(values, random);
      seen[values.indexOf(0)]!++;
    }
    for (const count of seen) expect(count / 8_000).toBeCloseTo(0.25, 1);
  });
});
