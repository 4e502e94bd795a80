import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { defaultPolicy } from "../../lib/scheduler/default-policy.js";
import type { Policy } from "../../lib/scheduler/policy.js";
import { evenly, greedily, type Contender } from "../../lib/scheduler/shares.js";

/** One bin for each curve: accuracies at budgets of 4, 16 and 64. */
function policyOf(...curves: [number, number, number][]): Policy {
  const base = defaultPolicy(true);
  const usual = base.overall.entries[0]!;
  const bins = curves.map((accuracies, i) => ({
    upTo: (i + 1) / curves.length,
    questions: 0,
    entries: [4, 16, 64].map((budget, at) => ({ ...usual, budget, generations: budget, accuracy: accuracies[at]! })),
  }));
  return { ...base, bins: { agreement: bins }, overall: bins[0]! };
}

const contender = (bin: number, given: Partial<Contender> = {}): Contender => ({
  ...{ generations: 4, cap: 4, over: false },
  decision: { estimate: "agreement", difficulty: 0.5, bin, stopped: null, rounds: [] },
  ...given,
});
const purse = (left: number, ...prices: number[]) => ({ left, prices });

describe("evenly", () => {
  const policy = policyOf([0, 0, 0]);
  const all = [1, 1, 1].map((cap) => contender(0, { cap, generations: cap }));

  it("gives all the same, at their own prices, from the emptiest purse, up to the probes", () => {
    expect(evenly(all, [purse(6, 1, 1, 1)], policy)).toEqual([3, 3, 3]);
    expect(evenly(all, [purse(600, 1, 1, 1), purse(149, 20, 30, 25)], policy)).toEqual([2, 2, 2]);
    expect(evenly(all, [purse(600, 1, 1, 1)], policy)).toEqual([4, 4, 4]);
  });

  it("gives nothing where nothing is left, nor to who has enough", () => {
    expect(evenly(all, [purse(2, 1, 1, 1)], policy)).toEqual([1, 1, 1]);
    expect(evenly(all, [purse(-10, 1, 1, 1)], policy)).toEqual([1, 1, 1]);
    const some = [contender(0, { cap: 1, over: true }), contender(0, { cap: 9 }), contender(0, { cap: 2 })];
    expect(evenly(some, [purse(60, 1, 1, 1)], policy)).toEqual([1, 9, 4]);
  });
});

describe("greedily", () => {
  const policy = policyOf([0.5, 0.9, 0.9], [0.5, 0.7, 0.9], [0.5, 0.5, 0.5]);
  const all = [0, 1, 2].map((bin) => contender(bin));

  it("gives first to who gains most, and nothing to who gains nothing", () => {
    expect(greedily(all, [purse(12, 1, 1, 1)], policy)).toEqual([16, 4, 4]);
    expect(greedily(all, [purse(24, 1, 1, 1)], policy)).toEqual([16, 16, 4]);
    expect(greedily(all, [purse(999, 1, 1, 1)], policy)).toEqual([16, 64, 4]);
  });

  it("gives a part of a level where the purse does not pay for all of it", () => {
    expect(greedily(all, [purse(7, 1, 1, 1)], policy)).toEqual([11, 4, 4]);
    expect(greedily(all, [purse(20, 1, 1, 1)], policy)).toEqual([16, 12, 4]);
  });

  it("counts a gain in what it takes of the scarcest purse", () => {
    const tokens = [30, 10, 10]; // three times dearer, it gains only twice as much
    expect(greedily(all, [purse(999, 1, 1, 1), purse(120, ...tokens)], policy)).toEqual([4, 16, 4]);
    expect(greedily(all, [purse(12, 1, 1, 1), purse(99_999, ...tokens)], policy)).toEqual([16, 4, 4]);
  });

  it("goes by the curve of all questions where a difficulty is unknown: one sample agrees with itself", () => {
    const single = contender(2, { generations: 1, cap: 1 });
    const unguessed = { ...contender(2), decision: { ...contender(2).decision, difficulty: null, bin: null } };
    const known = contender(2);
    expect(greedily([single, unguessed, known], [purse(99, 1, 1, 1)], policy)).toEqual([16, 16, 4]);
  });

  it("asks for no more of a question that is over", () => {
    expect(greedily([contender(0, { over: true })], [purse(99, 1)], policy)).toEqual([4]);
  });
});

describe.each([
  ["evenly", evenly],
  ["greedily", greedily],
])("%s", (_, share) => {
  it("never plans for more than the purses hold, what was granted before and not spent included", () => {
    const policy = policyOf([0.5, 0.9, 0.9], [0.5, 0.7, 0.9], [0.5, 0.5, 0.5]);
    const contenders = fc.record({
      bin: fc.nat(2),
      spent: fc.integer({ min: 1, max: 9 }),
      unspent: fc.nat(9),
      over: fc.boolean(),
      prices: fc.tuple(fc.constant(1), fc.integer({ min: 1, max: 99 })),
    });
    const purses = fc.tuple(fc.nat(200), fc.nat(5000));
    fc.assert(
      fc.property(fc.array(contenders, { minLength: 1, maxLength: 8 }), purses, (several, lefts) => {
        const before = several.map(({ bin, spent, unspent, over }) =>
          contender(bin, { generations: spent, cap: spent + unspent, over }),
        );
        const priced = lefts.map((left, unit) => purse(left, ...several.map(({ prices }) => prices[unit as 0 | 1])));
        const caps = share(before, priced, policy);
        for (const { left, prices } of priced) {
          const planned = caps.map((cap, i) =>
            cap > before[i]!.cap ? (cap - before[i]!.generations) * prices[i]! : 0,
          );
          expect(planned.reduce((sum, cost) => sum + cost, 0)).toBeLessThanOrEqual(left);
        }
        expect(caps.every((cap, i) => cap >= before[i]!.cap)).toBe(true);
      }),
    );
  });
});
