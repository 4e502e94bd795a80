import { describe, expect, it } from "vitest";

import { fitBins, quantileEdges, type FitOptions } from "../../lib/training/fit-policy.js";
import type { Contender } from "../../lib/training/records.js";

const options: FitOptions = { budgets: [4, 16], tolerance: 0.01, seed: 1 };
const everyone = (count: number, value: number) => Array.from({ length: count }, () => value);

/** A contender that is right on some questions. */
const contender = (
  strategy: Contender["strategy"],
  generations: number,
  right: readonly number[],
  tokens = 10 * generations,
): Contender => ({
  ...{ strategy, settings: {}, generations, right, tokens: right.map(() => tokens) },
  averaged: strategy !== "beam",
});

describe("quantileEdges", () => {
  it("parts looks into bins of equal size", () => {
    const looks = Array.from({ length: 100 }, (_, i) => [i / 100]);
    const edges = quantileEdges(looks, 5);
    expect(edges).toHaveLength(5);
    expect(edges.at(-1)).toBe(1);
    const sizes = edges.map((edge, i) => looks.filter(([d]) => d! < edge && d! >= (edges[i - 1] ?? 0)).length);
    expect(sizes).toEqual([20, 20, 20, 20, 20]);
  });

  it("makes fewer bins of coinciding difficulties, and one of all equal ones", () => {
    expect(quantileEdges([[0], [0], [0], [0], [0.5], [1]], 5).length).toBeLessThan(5);
    expect(quantileEdges([[0.3], [0.3], [0.3]], 5)).toEqual([1]);
    expect(quantileEdges([[1], [1], [0]], 2)).toEqual([0.5, 1]);
  });
});

describe("fitBins", () => {
  // Twenty easy questions, where sampling is right, and twenty hard ones, where only beam search is.
  const looks = [...everyone(20, 0.1), ...everyone(20, 0.9)].map((difficulty) => [difficulty]);
  const contenders = [
    contender("weighted-best-of-n", 4, [...everyone(20, 1), ...everyone(20, 0)]),
    contender("weighted-best-of-n", 16, [...everyone(20, 1), ...everyone(20, 0.1)]),
    contender("beam", 4, [...everyone(20, 0.5), ...everyone(20, 0)]),
    contender("beam", 16, [...everyone(20, 0.5), ...everyone(20, 0.8)]),
  ];

  it("chooses by difficulty, and does not pay for what buys nothing", () => {
    const [easy, hard] = fitBins(contenders, looks, [0.5, 1], options);
    expect(easy!.entries.map(({ strategy, generations }) => [strategy, generations])).toEqual([
      ["weighted-best-of-n", 4],
      ["weighted-best-of-n", 4],
    ]);
    expect(hard!.entries[1]).toMatchObject({ strategy: "beam", generations: 16, budget: 16 });
    expect(hard!.entries[1]!.accuracy).toBeCloseTo(0.8, 12);
    expect([easy!.questions, hard!.questions]).toEqual([20, 20]);
    expect([easy!.upTo, hard!.upTo]).toEqual([0.5, 1]);
  });

  it("reports what the strategy does on questions that did not choose it", () => {
    // Of two coin flips the luckier looks good on its own half; cross-validated it does not.
    const random = (seed: number) =>
      Array.from({ length: 40 }, (_, i) => ((i * 7919 + seed * 104_729) % 13 < 6 ? 1 : 0));
    const coins = Array.from({ length: 12 }, (_, i) => contender("beam", 4, random(i + 1), 10 + i));
    const [entry] = fitBins(coins, looks, [1], { ...options, tolerance: 0, budgets: [4] })[0]!.entries;
    const inSample = Math.max(...coins.map(({ right }) => right.reduce((sum, value) => sum + value, 0) / 40));
    expect(entry!.accuracy!).toBeLessThanOrEqual(inSample);
    expect(entry!.low!).toBeLessThanOrEqual(entry!.accuracy!);
    expect(entry!.high!).toBeGreaterThanOrEqual(entry!.accuracy!);
  });

  it("takes a search for better than sampling only beyond its standard error", () => {
    const half = Array.from({ length: 40 }, (_, i) => i % 2);
    const lucky = half.map((right, i) => (i < 2 ? 1 : right)); // one more of forty
    const better = half.map((right, i) => (i < 20 ? 1 : right));
    const all = [contender("weighted-best-of-n", 4, everyone(40, 0.5)), contender("beam", 4, lucky)];
    const fitted = (some: Contender[]) => fitBins(some, looks, [1], { ...options, budgets: [4] })[0]!.entries[0]!;
    expect(fitted(all).strategy).toBe("weighted-best-of-n");
    expect(fitted([...all, contender("beam", 4, better)]).strategy).toBe("beam");
  });

  it("weighs a question by the share of its looks in a bin", () => {
    // One question looks easy three times of four.
    const torn = [
      [0.1, 0.1, 0.1, 0.9],
      [0.9, 0.9, 0.9, 0.9],
    ];
    const one = [contender("majority", 4, [1, 0])];
    const [easy, hard] = fitBins(one, torn, [0.5, 1], { ...options, budgets: [4] });
    expect(easy!.entries[0]!.accuracy).toBe(1);
    expect(hard!.entries[0]!.accuracy).toBeCloseTo(0.25 / 1.25, 12);
  });

  it("leaves out bins without questions; the last covers the rest", () => {
    const bins = fitBins(contenders, looks, [0.05, 0.2, 0.3, 0.95, 1], options);
    expect(bins.map(({ upTo }) => upTo)).toEqual([0.2, 1]);
  });
});
