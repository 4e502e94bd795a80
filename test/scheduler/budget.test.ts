import { describe, expect, it } from "vitest";

import type { Ledger } from "../../lib/engine/addon.js";
import { affordable, budgetFields, budgetSchema, pursesOf } from "../../lib/scheduler/budget.js";

const ledger = (spent: Partial<Ledger>) => ({ generatedTokens: 0, flops: 0, milliseconds: 0, ...spent }) as Ledger;

describe("affordable", () => {
  it("is what the caps leave, at the price of the solutions so far", () => {
    const spent = { generations: 4, ledger: ledger({ generatedTokens: 200, flops: 4e6, milliseconds: 40 }) };
    expect(affordable({ generations: 16 }, spent)).toBe(12);
    expect(affordable({ tokens: 1_000 }, spent)).toBe(16);
    expect(affordable({ flops: 5e6 }, spent)).toBe(1);
    expect(affordable({ milliseconds: 100 }, spent)).toBe(6);
    expect(affordable({ generations: 16, tokens: 1_000, flops: 5e6 }, spent)).toBe(1);
  });

  it("is nothing once a cap is reached", () => {
    const spent = { generations: 4, ledger: ledger({ generatedTokens: 200 }) };
    expect(affordable({ tokens: 200 }, spent)).toBe(0);
    expect(affordable({ tokens: 100 }, spent)).toBe(0);
    expect(affordable({ generations: 4 }, spent)).toBe(0);
  });
});

describe("a budget", () => {
  it("may be a number of generations", () => {
    expect(budgetSchema.parse(8)).toEqual({ generations: 8 });
  });

  it.each([0, -1, 1.5, NaN, { generations: 0 }, { tokens: 1.5 }, { flops: 0 }, { milliseconds: -1 }, { steps: 1 }])(
    "of %j is refused",
    (budget) => expect(budgetSchema.safeParse(budget).success).toBe(false),
  );

  it("of all units is taken as it is", () => {
    const budget = { generations: 1, tokens: 2, flops: 3, milliseconds: 4 };
    expect(budgetFields.parse(budget)).toEqual(budget);
  });
});

describe("the purses of many searches", () => {
  const one = { generations: 2, ledger: ledger({ generatedTokens: 30, flops: 900 }), prefill: 500 };
  const two = { generations: 4, ledger: ledger({ generatedTokens: 200, flops: 2100 }), prefill: 100 };

  it("hold what all of them leave; each pays its own price, and its prompt once", () => {
    const budget = { generations: 10, tokens: 1000, flops: 4000, milliseconds: 90 };
    expect(pursesOf(budget, [one, two], 60)).toEqual([
      { left: 4, prices: [1, 1] },
      { left: 770, prices: [15, 50] },
      { left: 1000, prices: [200, 500] },
      { left: 30, prices: [10, 10] },
    ]);
  });

  it("are those of the caps that are set", () => {
    expect(pursesOf({ tokens: 230 }, [one, two], 60)).toEqual([{ left: 0, prices: [15, 50] }]);
  });

  it("have a price for what was free so far", () => {
    const [purse] = pursesOf({ tokens: 5 }, [{ ...one, ledger: ledger({}) }], 1);
    expect(purse!.prices[0]).toBeGreaterThan(0);
  });
});
