/** ProcessBench's protocol on made-up scores whose figures can be told by hand. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  averageF1,
  bestThreshold,
  predictedError,
  processBenchFigures,
  type ScoredSteps,
} from "../../lib/evaluation/process-bench.js";

const of = (firstError: number | null, ...scores: number[]): ScoredSteps => ({ firstError, scores });

// At 0.5: of 4 erroneous ones the 1st and 3rd are found, of 3 correct ones the first two are passed.
const solutions = [
  of(1, 0.9, 0.2, 0.9),
  of(1, 0.4, 0.2),
  of(0, 0.1),
  of(2, 0.9, 0.8, 0.7),
  of(null, 0.5, 0.9),
  of(null, 0.8),
  of(null, 0.9, 0.3),
];

describe("ProcessBench", () => {
  it("predicts the first step that is scored below the threshold", () => {
    expect(predictedError([0.9, 0.4, 0.1], 0.5)).toBe(1);
    expect(predictedError([0.5, 0.9], 0.5)).toBeNull();
    expect(predictedError([0.9], 1)).toBe(0);
    expect(predictedError([0], 0)).toBeNull();
  });

  it("has both accuracies and their harmonic mean", () => {
    const figures = processBenchFigures(solutions, 0.5);
    expect(figures).toMatchObject({ solutions: 7, erroneous: 4, unscored: 0 });
    expect(figures.errorAccuracy.mean).toBe(2 / 4);
    expect(figures.correctAccuracy.mean).toBe(2 / 3);
    expect(figures.f1.mean).toBeCloseTo((2 * (1 / 2) * (2 / 3)) / (1 / 2 + 2 / 3), 12);
    expect(figures.f1.low).toBeGreaterThanOrEqual(0);
    expect(figures.f1.low).toBeLessThan(figures.f1.mean);
    expect(figures.f1.high).toBeGreaterThan(figures.f1.mean);
  });

  it("counts what could not be scored as missed, whatever is right", () => {
    const all = [...solutions, { firstError: 0, scores: null }, { firstError: null, scores: null }];
    const figures = processBenchFigures(all, 0.5);
    expect(figures.unscored).toBe(2);
    expect(figures.errorAccuracy.mean).toBe(2 / 5);
    expect(figures.correctAccuracy.mean).toBe(2 / 4);
  });

  it("is 0 where nothing is found, and not a number without solutions of a kind", () => {
    expect(processBenchFigures([of(0, 0.9), of(null, 0.1)], 0.5).f1).toEqual({ mean: 0, low: 0, high: 0 });
    const onlyWrong = processBenchFigures([of(0, 0.1)], 0.5);
    expect(onlyWrong.errorAccuracy.mean).toBe(1);
    expect([onlyWrong.correctAccuracy.mean, onlyWrong.f1.mean]).toEqual([NaN, NaN]);
  });

  it("averages the files' F1, however many solutions they have", () => {
    const perfect = [of(0, 0.1), of(null, 0.9)];
    const { mean, low, high } = averageF1([solutions, perfect], 0.5);
    expect(mean).toBeCloseTo((processBenchFigures(solutions, 0.5).f1.mean + 1) / 2, 12);
    expect(low).toBeGreaterThanOrEqual(0.5);
    expect(high).toBeLessThanOrEqual(1);
  });

  it("makes the published F1 of the published accuracies: Math-Shepherd's", () => {
    const hits = (percent: number, firstError: number | null) =>
      Array.from({ length: 1000 }, (_, i) => of(firstError, i < 10 * percent === (firstError === null) ? 0.9 : 0.1));
    const published = [
      { error: 32.4, correct: 91.7, f1: 47.9 }, // GSM8K
      { error: 18.0, correct: 82.0, f1: 29.5 }, // MATH
      { error: 15.0, correct: 71.1, f1: 24.8 }, // OlympiadBench
      { error: 14.2, correct: 73.0, f1: 23.8 }, // Omni-MATH
    ];
    const sets = published.map(({ error, correct }) => [...hits(error, 0), ...hits(correct, null)]);
    const found = sets.map((set) => (100 * processBenchFigures(set, 0.5).f1.mean).toFixed(1));
    expect(found).toEqual(published.map(({ f1 }) => f1.toFixed(1)));
    expect((100 * averageF1(sets, 0.5).mean).toFixed(1)).toBe("31.5");
  });
});

describe("bestThreshold", () => {
  it("is in the middle of the span that predicts best", () => {
    // Right from above 0.2 up to 0.6.
    expect(bestThreshold([of(1, 0.9, 0.2), of(null, 0.6)])).toBeCloseTo(0.4, 12);
  });

  it("is as good as any", () => {
    const score = fc.constantFrom(0, 0.1, 0.25, 0.5, 0.5000000000000001, 0.75, 1);
    const solution = fc
      .array(score, { minLength: 1, maxLength: 4 })
      .chain((scores) =>
        fc.oneof(fc.constant(null), fc.nat(scores.length - 1)).map((firstError) => of(firstError, ...scores)),
      );
    fc.assert(
      fc.property(fc.array(solution, { minLength: 1, maxLength: 8 }), (some) => {
        const all = [...some, of(0, 0.3), of(null, 0.6)];
        const f1 = (threshold: number) => processBenchFigures(all, threshold).f1.mean;
        const best = bestThreshold(all);
        expect(best).toBeGreaterThanOrEqual(0);
        expect(best).toBeLessThanOrEqual(1);
        const others = [0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.5000000000000001, 0.55, 0.6, 0.7, 0.75, 0.8, 1];
        for (const other of others) expect(f1(other)).toBeLessThanOrEqual(f1(best) + 1e-12);
      }),
      { numRuns: 40 },
    );
  });

  it("needs both kinds of solutions", () => {
    expect(() => bestThreshold([of(0, 0.1)])).toThrow(/tuned on solutions with wrong steps and on ones without/);
    expect(() => bestThreshold([of(null, 0.1)])).toThrow(/tuned on/);
  });
});
