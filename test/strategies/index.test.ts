import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  beamAfterAttempt,
  beamSearch,
  bestOfN,
  dvts,
  lookaheadSearch,
  majorityVote,
  reviseSurvivors,
  revisions,
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
    expect(() => beamSearch({ ...beam, workAhead: 1 as never })).toThrow(invalid("workAhead must be true or false"));
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

  it("of revisions and hybrids are refused by name as well", () => {
    const chains = { chains: 2, length: 2 };
    expect(() => revisions({ ...chains, chains: 0 })).toThrow(invalid("chains must be a whole number from 1"));
    expect(() => revisions({ ...chains, length: 1.5 })).toThrow(invalid("length must be a whole number from 1"));
    expect(() => revisions({ ...chains, maxAttempts: 0 })).toThrow(invalid("maxAttempts must be a whole number"));
    expect(() => revisions({ ...chains, separator: "" })).toThrow(invalid("separator must be a text"));
    expect(() => revisions({ ...chains, select: "best" as never })).toThrow(invalid('verifier, majority; got "best"'));
    expect(() => reviseSurvivors({ search: majorityVote({ n: 2 }), revise: 0 })).toThrow(invalid("revise must be"));
    expect(() => beamAfterAttempt({ n: 2, beamWidth: 2, attempts: 0 })).toThrow(invalid("attempts must be"));
    expect(() => strategyByName("revisions", { n: 10, length: 4 })).toThrow(
      invalid("use n = 8 or 12, or a length that divides 10"),
    );
  });

  it("are shown with their defaults", () => {
    expect(revisions({ chains: 2, length: 3 }).options).toEqual({ chains: 2, length: 3, select: "verifier" });
    expect(reviseSurvivors({ search: majorityVote({ n: 8 }), revise: 2 }).options).toEqual({
      search: { name: "majority", n: 8 },
      revise: 2,
    });
    expect(beamSearch({ n: 8, beamWidth: 4 }).options).toEqual({
      n: 8,
      beamWidth: 4,
      maxRounds: 40,
    });
    expect(dvts({ n: 8, beamWidth: 4, workAhead: true }).options).toMatchObject({ workAhead: true });
    expect(majorityVote({ n: 8, temperature: 0.5 }).options).toEqual({ n: 8, temperature: 0.5 });
  });
});

describe("strategyByName", () => {
  it("knows every strategy by the name it shows", () => {
    expect(strategyNames).toEqual([
      ...["majority", "best-of-n", "weighted-best-of-n", "beam", "lookahead", "dvts"],
      ...["revisions", "revise-survivors", "beam-after-attempt"],
    ]);
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
        const portion = name === "revisions" ? Math.sqrt(generations) : name === "lookahead" ? 8 : 5;
        expect(strategy.generations).toBeGreaterThan(generations - portion);
      }),
    );
  });

  it("fits the smallest budgets, down to what a hybrid needs", () => {
    for (const name of strategyNames) {
      for (
        let generations = name === "lookahead" || name.includes("after") || name.includes("survivors") ? 2 : 1;
        generations < 12;
        generations++
      ) {
        expect(strategyWithin(generations, name).generations, `${name} ${generations}`).toBeLessThanOrEqual(
          generations,
        );
      }
    }
    expect(() => strategyWithin(1, "revise-survivors")).toThrow(invalid("it needs at least 2"));
    expect(() => strategyWithin(1, "beam-after-attempt")).toThrow(invalid("it needs at least 2"));
    expect(() => strategyWithin(4, "beam-after-attempt", { beamWidth: 4 })).toThrow(invalid("it needs at least 5"));
  });

  it("balances chains and their length as powers of two, unless told", () => {
    const shape = (generations: number, settings = {}) => {
      const { chains, length } = strategyWithin(generations, "revisions", settings).options;
      return [chains, length];
    };
    expect([1, 3, 4, 7, 16, 17, 64, 128, 256].map((generations) => shape(generations))).toEqual([
      ...[
        [1, 1],
        [3, 1],
        [2, 2],
        [3, 2],
        [4, 4],
      ],
      ...[
        [4, 4],
        [8, 8],
        [16, 8],
        [16, 16],
      ],
    ]);
    expect(shape(17, { length: 8 })).toEqual([2, 8]);
    expect(shape(16, { length: 16 })).toEqual([1, 16]);
    expect(shape(16, { length: 1 })).toEqual([16, 1]);
    expect(() => shape(4, { length: 8 })).toThrow(invalid("it needs at least 8"));
  });

  it("pays for the revisions and the first attempt of the hybrids", () => {
    expect(strategyWithin(16, "revise-survivors").options).toMatchObject({
      search: { n: 12, beamWidth: 4 },
      revise: 3,
    });
    expect(strategyWithin(16, "beam-after-attempt").options).toMatchObject({ attempts: 1, n: 12, beamWidth: 4 });
    expect(strategyWithin(17, "beam-after-attempt").options).toMatchObject({ attempts: 1, n: 16, beamWidth: 4 });
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
