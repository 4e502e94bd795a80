import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aggregate, aggregations } from "../../lib/verifiers/aggregation.js";

const score = fc.double({ min: 0, max: 1, noNaN: true });
const anyAggregation = fc.constantFrom(...aggregations);

describe("aggregate", () => {
  it.each([
    ["last", 0.8],
    ["min", 0.2],
    ["product", 0.08],
    ["mean", 0.5],
  ] as const)("%s of 0.5, 0.2, 0.8 is %d", (aggregation, expected) => {
    expect(aggregate([0.5, 0.2, 0.8], aggregation)).toBeCloseTo(expected, 12);
  });

  it("is the score itself for one step, and null for none", () => {
    for (const aggregation of aggregations) {
      expect(aggregate([0.3], aggregation)).toBe(0.3);
      expect(aggregate([], aggregation)).toBeNull();
    }
  });

  it("is unknown where a score it needs is unknown", () => {
    for (const aggregation of aggregations) expect(aggregate([0.3, null], aggregation)).toBeNull();
    expect(aggregate([null, 0.3], "last")).toBe(0.3);
    for (const aggregation of ["min", "product", "mean"] as const)
      expect(aggregate([null, 0.3], aggregation)).toBeNull();
  });

  it("stays in [0, 1], with product <= min <= mean, and min <= last", () => {
    fc.assert(
      fc.property(fc.array(score, { minLength: 1, maxLength: 50 }), (scores) => {
        const [last, min, product, mean] = (["last", "min", "product", "mean"] as const).map((a) =>
          aggregate(scores, a)!,
        );
        for (const value of [last!, min!, product!, mean!]) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(1 + 1e-12);
        }
        expect(product!).toBeLessThanOrEqual(min!);
        expect(min!).toBeLessThanOrEqual(mean! + 1e-12);
        expect(min!).toBeLessThanOrEqual(last!);
      }),
    );
  });

  it("never falls when a score rises", () => {
    fc.assert(
      fc.property(
        fc.array(score, { minLength: 1 }),
        fc.nat(),
        score,
        anyAggregation,
        (scores, at, other, aggregation) => {
          const index = at % scores.length;
          const raised = scores.with(index, Math.max(scores[index]!, other));
          expect(aggregate(raised, aggregation)!).toBeGreaterThanOrEqual(aggregate(scores, aggregation)! - 1e-12);
        },
      ),
    );
  });

  it("leaves its input alone", () => {
    const scores = Object.freeze([0.5, 0.2]);
    for (const aggregation of aggregations) aggregate(scores, aggregation);
    expect(scores).toEqual([0.5, 0.2]);
  });
});
