/**
 * Budgets are hard caps: of whatever a search does, the ledger never shows more than it was allowed.
 *
 * 10,000 random searches on the fake backend: strategies and the policy's own choices, every unit, odd combinations, early
 * stops on and off, many at once in one engine with little memory.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Engine, strategyNames, strategyWithin, type Budget } from "../../lib/index.js";

let engine: Engine;
beforeAll(async () => {
  const fake = { cells: 1024, sequences: 32, batch: 256 };
  engine = await Engine.load({ generator: { fake }, verifier: { fake } });
});
afterAll(() => engine.close());

const budgets = fc.record(
  {
    generations: fc.integer({ min: 1, max: 24 }),
    tokens: fc.integer({ min: 1, max: 400 }),
    flops: fc.integer({ min: 1, max: 400 }).map((tokens) => tokens * flopsOfToken()),
    milliseconds: fc.integer({ min: 1, max: 20 }),
  },
  { requiredKeys: [] },
);
const searches = fc.record({
  budget: budgets,
  name: fc.option(fc.constantFrom(...strategyNames)),
  size: fc.integer({ min: 5, max: 20 }),
  earlyStop: fc.boolean(),
  guards: fc.boolean(),
  maxLength: fc.integer({ min: 1, max: 60 }),
  seed: fc.nat(),
  question: fc.constantFrom("1+2?", "What is 7 times 8, less 3?", "x"),
});

test("10,000 random searches keep within their budgets, and leave nothing behind", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(searches, { minLength: 20, maxLength: 20 }), async (together) => {
      await Promise.all(together.map(check));
      const { searches, branches, kvCells, verifierKvCells, leases } = engine.stats();
      expect({ searches, branches, kvCells, verifierKvCells, leases }).toEqual({
        ...{ searches: 0, branches: 0, kvCells: 0, verifierKvCells: 0, leases: 0 },
      });
    }),
    { numRuns: 500 },
  );
});

type Search = typeof searches extends fc.Arbitrary<infer T> ? T : never;

async function check({ budget, name, size, question, ...options }: Search): Promise<void> {
  const named = name === null ? {} : { strategy: strategyWithin(Math.max(size, 5), name) };
  const caps: Budget = name === null ? budget : { ...budget, generations: undefined };
  const { generations, ledger } = await engine.solve(question, { ...options, ...named, budget: caps });
  const limit = name === null ? (budget.generations ?? (Object.keys(budget).length === 0 ? 16 : Infinity)) : size;
  expect(generations).toBeLessThanOrEqual(limit);
  expect(ledger.generatedTokens).toBeLessThanOrEqual(budget.tokens ?? Infinity);
  expect(ledger.flops).toBeLessThanOrEqual(budget.flops ?? Infinity);
}

/** 2 x the parameters of one fake model. */
function flopsOfToken(): number {
  return 2 * engine.models.generator.parameters;
}
