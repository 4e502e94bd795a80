/** Many questions out of one budget, over the real addon and the fake backend, whose models have 1000 parameters each. */
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";

import { Engine, type Answer, type Budget, type Policy, type SolveAllOptions } from "../../lib/index.js";
import type { EngineCore } from "../../lib/engine/engine-core.js";
import { defaultPolicy } from "../../lib/scheduler/default-policy.js";
import { solveAll } from "../../lib/scheduler/solve-all.js";
import { abortAfter, loadFake } from "../support/fake-engine.js";

const TOKEN = 2 * 1000;
const questions = Array.from({ length: 12 }, (_, i) => `${i}+2?`);

let loaded: Engine | undefined;
afterEach(() => loaded?.close());

const load = async (policy: Policy = defaultPolicy(true)): Promise<Engine> =>
  (loaded = await Engine.load({ generator: { fake: {} }, verifier: { fake: {} }, policy }));

type Entry = Policy["overall"]["entries"][number];

/** Bins by agreement, each up to a difficulty, with the entries given. Nothing ends early. */
function policyOf(...bins: { upTo: number; entries: Partial<Entry>[] }[]): Policy {
  const base = defaultPolicy(true);
  const usual = base.overall.entries[0]!;
  const filled = bins.map(({ upTo, entries }) => ({
    ...{ upTo, questions: 0 },
    entries: entries.map((entry) => ({ ...usual, ...entry })),
  }));
  return { ...base, bins: { agreement: filled }, overall: filled[0]!, stop: { agreement: null, share: null } };
}

/** What all questions together have cost. */
function costOf(answers: readonly Answer[]) {
  const sum = (cost: (answer: Answer) => number) => answers.reduce((total, answer) => total + cost(answer), 0);
  return {
    generations: sum(({ generations }) => generations),
    tokens: sum(({ ledger }) => ledger.generatedTokens),
    flops: sum(({ ledger }) => ledger.flops),
  };
}

function expectWithin(answers: readonly Answer[], budget: Budget): void {
  const cost = costOf(answers);
  for (const unit of ["generations", "tokens", "flops"] as const)
    expect(cost[unit], unit).toBeLessThanOrEqual(budget[unit] ?? Infinity);
}

const whole = (answers: readonly Answer[]) => answers.filter(({ candidates }) => candidates[0]!.finished).length;

describe("generations", () => {
  test("are never passed, and each question gets an answer", async () => {
    const engine = await load();
    for (const generations of [12, 30, 48, 200]) {
      const seen: number[] = [];
      const answers = await engine.solveAll(questions, {
        ...{ budget: { generations }, seed: 5 },
        onAnswer: (_, i) => seen.push(i),
      });
      expect(whole(answers)).toBe(questions.length);
      expect(costOf(answers).generations).toBeLessThanOrEqual(generations);
      expect(seen.sort((a, b) => a - b)).toEqual(questions.map((_, i) => i));
    }
    expect(engine.stats()).toMatchObject({ searches: 0, branches: 0, kvCells: 0 });
  });

  test("that a question was given and did not use are not given twice", async () => {
    // The level of 16 takes no more than 4, so that the next one takes 60.
    const entries = [
      { budget: 4, generations: 4, accuracy: 0.5 },
      { budget: 16, generations: 4, accuracy: 0.7 },
      { budget: 64, generations: 64, accuracy: 0.9 },
    ];
    const engine = await load(policyOf({ upTo: 1, entries }));
    for (const [generations, spent] of [
      [63, 4],
      [64, 64],
    ] as const) {
      const [answer] = await engine.solveAll(["1+2?"], { budget: { generations }, seed: 5, earlyStop: false });
      expect(answer!.generations).toBe(spent);
    }
  });
});

describe("the rest goes where the curve rises", () => {
  // Easy questions gain nothing from more; hard ones do.
  const entries = (rise: number) =>
    [4, 16].map((budget) => ({ budget, generations: budget, accuracy: 0.5 + (budget === 16 ? rise : 0) }));
  const policy = policyOf({ upTo: 0.6, entries: entries(0) }, { upTo: 1, entries: entries(0.4) });

  test.each([
    [{ generations: 12 * 4 + 36 }],
    [{ tokens: 4000 }],
    [{ flops: 12_000 * TOKEN }],
    [{ generations: 90, tokens: 4000, milliseconds: 60_000 }],
  ])("%o", async (budget) => {
    const engine = await load(policy);
    const answers = await engine.solveAll(questions, { budget, seed: 5, earlyStop: false });
    expectWithin(answers, budget);
    const grown = answers.filter(({ generations }) => generations > 4);
    expect(grown.length).toBeGreaterThan(0);
    expect(grown.every(({ decision }) => decision!.bin === 1)).toBe(true);
  });

  test("to the cheaper of two equals, and a long prompt makes no question dearer", async () => {
    const engine = await load(policyOf({ upTo: 1, entries: entries(0.4) }));
    const short = "1+2?";
    const long = `${"1".repeat(500)}?`;
    const options = { budget: { flops: 1400 * TOKEN }, seed: 5, earlyStop: false };
    const answers = await engine.solveAll([short, long], options);
    expectWithin(answers, options.budget);
    // Both prompts and 4 solutions of each are paid for, and part of the rest: it is not a prompt's price that decides.
    expect(answers.every(({ generations }) => generations >= 4)).toBe(true);
    expect(costOf(answers).generations).toBeGreaterThan(8);
  });
});

describe("tokens and operations", () => {
  test("are never passed, and go as far as they can", async () => {
    const engine = await load();
    for (const tokens of [12, 60, 300, 1000, 4000]) {
      const answers = await engine.solveAll(questions, { budget: { tokens }, seed: 5, earlyStop: false });
      expect(costOf(answers).tokens).toBeLessThanOrEqual(tokens);
      if (tokens <= 60) expect(costOf(answers).tokens).toBe(tokens);
      if (tokens >= 300) expect(whole(answers)).toBe(questions.length);
    }
    for (const tokens of [12, 100, 1000, 3000]) {
      const answers = await engine.solveAll(questions, { budget: { flops: tokens * TOKEN }, seed: 5 });
      expect(costOf(answers).flops).toBeLessThanOrEqual(tokens * TOKEN);
      if (tokens >= 1000) expect(whole(answers)).toBe(questions.length);
    }
  });

  test("that pay for a part of the questions answer that part", async () => {
    const engine = await load();
    const answers = await engine.solveAll(questions, { budget: { tokens: 60 }, seed: 5, concurrency: 2 });
    expect(whole(answers)).toBeGreaterThan(2);
    expect(whole(answers)).toBeLessThan(questions.length);
    expect(answers.at(-1)).toMatchObject({ answer: null, finishReason: "budget" });
  });

  test("of a search beside it are not concerned", async () => {
    const engine = await load();
    const [answers, answer] = await Promise.all([
      engine.solveAll(questions, { budget: { tokens: 12 }, seed: 5 }),
      engine.solve("1+2?", { budget: { generations: 4, tokens: 100_000 }, seed: 5 }),
    ]);
    expect(costOf(answers).tokens).toBe(12);
    expect(answer.finishReason).toBe("complete");
  });
});

test("milliseconds alone are a budget, too", async () => {
  const entries = [4, 4096].map((budget) => ({ budget, generations: budget, accuracy: budget / 4096 }));
  const engine = await load(policyOf({ upTo: 1, entries }));
  const begun = performance.now();
  const answers = await engine.solveAll(questions, { budget: { milliseconds: 300 }, seed: 5, earlyStop: false });
  expect(performance.now() - begun).toBeLessThan(2000);
  expect(whole(answers)).toBe(questions.length);
  expect(costOf(answers).generations).toBeGreaterThan(4 * 12);
});

test("questions that the budget leaves unguessed are answered with nothing, not with an error", async () => {
  const base = policyOf({ upTo: 1, entries: [{ budget: 8, generations: 8 }] });
  const bins = { question: base.bins.agreement! };
  const engine = await load({ ...base, bins, estimate: "question", questionProbe: { bias: 0.5, weights: [0] } });
  const answers = await engine.solveAll(questions, { budget: { flops: 30 * TOKEN }, seed: 3, concurrency: 1 });
  expect(costOf(answers).flops).toBeLessThanOrEqual(30 * TOKEN);
  expect(answers[0]!.decision!.difficulty).toBe(0.5);
  expect(answers.at(-1)).toMatchObject({ answer: null, finishReason: "budget", decision: { difficulty: null } });
});

test.each<[SolveAllOptions["budget"], RegExp]>([
  [{ generations: 11 }, /budget\.generations: must be at least one a question: 12/],
  [{ tokens: 11 }, /budget\.tokens: must be at least one a question: 12/],
  [{ flops: 12 * TOKEN - 1 }, /budget\.flops: must pay for a token a question: 24000/],
  [{ milliseconds: 0 }, /budget\.milliseconds/],
  [{ generations: 12, tokens: 3 }, /budget\.tokens/],
  [{}, /budget: must name one of generations, tokens, flops and milliseconds/],
  [{ generations: undefined }, /budget: must name one of/],
])("a budget of %o is refused", async (budget, message) => {
  const engine = await load();
  const refused = engine.solveAll(questions, { budget });
  await expect(refused).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringMatching(message) as string,
  });
  expect(engine.stats().searches).toBe(0);
});

test("no questions have no answers", async () => {
  const engine = await load();
  await expect(engine.solveAll([], { budget: { generations: 1 } })).resolves.toEqual([]);
});

test("questions are given up together when one fails or the caller cancels", async () => {
  const engine = await load();
  const all = engine.solveAll(questions, {
    ...{ budget: { generations: 600, tokens: 100_000 }, seed: 1, signal: abortAfter(engine, 3) },
  });
  await expect(all).rejects.toMatchObject({ code: "CANCELLED" });
  await expect(engine.solveAll(["1+2?", " "], { budget: { tokens: 800 } })).rejects.toMatchObject({
    code: "EMPTY_PROMPT",
  });
  expect(engine.stats()).toMatchObject({ searches: 0, branches: 0 });
});

describe("whatever the policy, the questions and the caps", () => {
  const entry = fc.record({
    budget: fc.constantFrom(1, 2, 4, 8, 16, 32),
    generations: fc.integer({ min: 1, max: 32 }),
    strategy: fc.constantFrom("majority", "best-of-n", "weighted-best-of-n", "beam", "dvts", "revisions"),
    accuracy: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  });
  const policies = fc
    .record({
      bins: fc.array(fc.array(entry, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
      probe: fc.boolean(),
    })
    .map(({ bins, probe }): Policy => {
      const levels = bins.map((entries, i) => ({
        upTo: (i + 1) / bins.length,
        entries: [...new Map(entries.map((one) => [one.budget, one])).values()]
          .sort((a, b) => a.budget - b.budget)
          .map((one) => ({ ...one, generations: Math.min(one.generations, one.budget) }) as Entry),
      }));
      const policy = policyOf(...levels);
      if (!probe) return policy;
      return {
        ...policy,
        bins: { question: policy.bins.agreement! },
        estimate: "question",
        questionProbe: { bias: 0.5, weights: [0] },
      };
    });
  const runs = fc.record({
    policy: policies,
    many: fc.integer({ min: 1, max: 12 }),
    budget: fc.record(
      {
        generations: fc.integer({ min: 12, max: 200 }),
        tokens: fc.integer({ min: 12, max: 3000 }),
        flops: fc.integer({ min: 12, max: 6000 }).map((tokens) => tokens * TOKEN),
        milliseconds: fc.integer({ min: 1, max: 50 }),
      },
      { requiredKeys: [] },
    ),
    concurrency: fc.integer({ min: 1, max: 16 }),
    earlyStop: fc.boolean(),
    maxLength: fc.integer({ min: 1, max: 60 }),
    seed: fc.nat(),
  });

  type Run = typeof runs extends fc.Arbitrary<infer T> ? T : never;

  async function check(core: EngineCore, { policy, many, budget, ...options }: Run): Promise<void> {
    const caps = Object.keys(budget).length === 0 ? { generations: 12 } : budget;
    const answers = await solveAll(core, policy, questions.slice(0, many), { ...options, budget: caps });
    expect(answers).toHaveLength(many);
    expectWithin(answers, caps);
  }

  test("no cap is passed in any unit, and nothing is left behind", { timeout: 600_000 }, async () => {
    const core = await loadFake({ cells: 1024, sequences: 32, batch: 256 }, { cells: 1024, sequences: 32, batch: 256 });
    const property = fc.asyncProperty(fc.array(runs, { minLength: 5, maxLength: 5 }), async (together) => {
      await Promise.all(together.map((run) => check(core, run)));
      expect(core.stats()).toMatchObject({ searches: 0, branches: 0, kvCells: 0, verifierKvCells: 0, leases: 0 });
    });
    try {
      await fc.assert(property, { numRuns: 400 });
    } finally {
      await core.close();
    }
  });
});
