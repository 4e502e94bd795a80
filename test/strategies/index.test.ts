import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  beamSearch,
  bestOfN,
  dvts,
  lookaheadSearch,
  majorityVote,
  strategyByName,
  strategyNames,
  strategyWithin,
  weightedBestOfN,
  type StrategyName,
} from "../../lib/strategies/index.js";

const invalid = (part: string): unknown =>
  expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining(part) as string });

describe("options", () => {
  it.each([0, -1, 1.5, NaN, Infinity, 65_537, "4" as never, undefined as never])("refuse n = %s", (n) => {
    const factories = [majorityVote, bestOfN, weightedBestOfN].map((make) => () => make({ n }));
    for (const make of [...factories, () => beamSearch({ n, beamWidth: 1 }), () => dvts({ n, beamWidth: 1 })]) {
      expect(make).toThrow(invalid("n must be a whole number from 1 to 65536"));
    }
  });

  it("refuse what is out of range, by name", () => {
    const beam = { n: 4, beamWidth: 2 };
    expect(() => beamSearch({ ...beam, beamWidth: 0 })).toThrow(invalid("beamWidth must be a whole number from 1"));
    expect(() => beamSearch({ ...beam, maxRounds: 0 })).toThrow(invalid("maxRounds must be a whole number from 1"));
    expect(() => lookaheadSearch({ ...beam, lookahead: -1 })).toThrow(
      invalid("lookahead must be a whole number from 0"),
    );
    expect(() => bestOfN({ n: 1, temperature: -0.1 })).toThrow(invalid("temperature must be"));
    expect(() => bestOfN({ n: 1, temperature: NaN })).toThrow(invalid("temperature must be"));
    expect(() => bestOfN({ n: 1, aggregation: "max" as never })).toThrow(
      invalid('last, min, product, mean; got "max"'),
    );
  });

  it("say what to do when n is not a multiple of beamWidth", () => {
    expect(() => beamSearch({ n: 10, beamWidth: 4 })).toThrow(
      invalid("use n = 8 or 12, or a beamWidth that divides 10"),
    );
    expect(() => dvts({ n: 2, beamWidth: 4 })).toThrow(invalid("use n = 4, or a beamWidth that divides 2"));
  });

  it("are shown with their defaults", () => {
    expect(beamSearch({ n: 8, beamWidth: 4 }).options).toEqual({
      n: 8,
      beamWidth: 4,
      maxRounds: 40,
    });
    expect(majorityVote({ n: 8, temperature: 0.5 }).options).toEqual({ n: 8, temperature: 0.5 });
  });
});

describe("strategyByName", () => {
  it("knows every strategy by the name it shows", () => {
    expect(strategyNames).toEqual(["majority", "best-of-n", "weighted-best-of-n", "beam", "lookahead", "dvts"]);
    for (const name of strategyNames) expect(strategyByName(name, { n: 8 }).name).toBe(name);
  });

  it("fills in the defaults", () => {
    expect(strategyByName("beam", { n: 16 }).options).toMatchObject({ beamWidth: 4 });
    expect(strategyByName("dvts", { n: 3 }).options).toMatchObject({ beamWidth: 3 });
    expect(strategyByName("lookahead", { n: 16 }).options).toMatchObject({ beamWidth: 4, lookahead: 1 });
  });

  it("passes every setting on", () => {
    const settings = { n: 6, beamWidth: 2, lookahead: 3, temperature: 0.6, aggregation: "min" } as const;
    expect(strategyByName("lookahead", settings).options).toMatchObject(settings);
  });

  it("refuses unknown names and settings the strategy does not have", () => {
    expect(() => strategyByName("mcts" as StrategyName, { n: 4 })).toThrow(invalid("use one of majority, best-of-n"));
    expect(() => strategyByName("toString" as StrategyName, { n: 4 })).toThrow(invalid("unknown strategy"));
    expect(() => strategyByName("beam", { n: 4, lookahead: 1 })).toThrow(invalid("beam has no lookahead"));
    expect(() => strategyByName("majority", { n: 4, aggregation: "min" })).toThrow(
      invalid("majority has no aggregation"),
    );
  });
});

describe("strategyWithin", () => {
  it("never costs more than the budget, and wastes less than one more multiple of the width", () => {
    const budget = fc.integer({ min: 8, max: 300 });
    fc.assert(
      fc.property(fc.constantFrom(...strategyNames), budget, (name, generations) => {
        const strategy = strategyWithin(generations, name);
        expect(strategy.generations).toBeLessThanOrEqual(generations);
        expect(strategy.generations).toBeGreaterThan(generations - 4 * 2);
      }),
    );
  });

  it("derives n from the budget, the lookahead and the width", () => {
    expect(strategyWithin(64, "lookahead", { lookahead: 3 }).options).toMatchObject({ n: 16, beamWidth: 4 });
    expect(strategyWithin(63, "lookahead", { lookahead: 3, beamWidth: 5 }).options).toMatchObject({ n: 15 });
    expect(strategyWithin(3, "beam").options).toMatchObject({ n: 3, beamWidth: 3 });
    expect(strategyWithin(7, "majority").options).toEqual({ n: 7 });
  });

  it("refuses budgets that pay for no search", () => {
    expect(() => strategyWithin(1, "lookahead")).toThrow(invalid("it needs at least 2"));
    expect(() => strategyWithin(7, "beam", { beamWidth: 8 })).toThrow(invalid("it needs at least 8"));
    expect(() => strategyWithin(0, "beam")).toThrow(invalid("generations must be"));
    expect(() => strategyWithin(8, "beam", { beamWidth: 0 })).toThrow(invalid("beamWidth must be"));
  });
});
