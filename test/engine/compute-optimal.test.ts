import { afterEach, describe, expect, test } from "vitest";

import { Engine, ThinkTreeError, type Policy } from "../../lib/index.js";
import { defaultPolicy } from "../../lib/scheduler/default-policy.js";

let engine: Engine;
afterEach(() => engine.close());

const load = async (policy: Policy) =>
  (engine = await Engine.load({ generator: { fake: {} }, verifier: { fake: {} }, policy }));

/** Everything is of middling difficulty: what the policy says there is what must run. */
function policyWith(entries: Partial<Policy["overall"]["entries"][number]>[], parts: Partial<Policy> = {}): Policy {
  const base = defaultPolicy(true);
  const usual = base.overall.entries[0]!;
  const bin = { upTo: 1, questions: 0, entries: entries.map((entry) => ({ ...usual, ...entry })) };
  return { ...base, bins: { agreement: [bin] }, overall: bin, stop: { agreement: null, share: null }, ...parts };
}

describe("a compute-optimal search", () => {
  test("probes, then runs what the policy says with the rest of the budget", async () => {
    await load(policyWith([{ budget: 16, generations: 16, strategy: "beam", settings: { beamWidth: 4 } }]));
    const { decision, strategy, generations, candidates } = await engine.solve("1+2?", { budget: 16, seed: 3 });
    expect(strategy.name).toBe("compute-optimal");
    expect(decision!.rounds).toEqual([
      { strategy: "weighted-best-of-n", generations: 4 },
      { strategy: "beam", generations: 12 },
    ]);
    expect(generations).toBe(16);
    expect(candidates.length).toBeGreaterThan(0);
  });

  test("keeps the probes' solutions in the competition", async () => {
    await load(policyWith([{ budget: 64, generations: 4 }]));
    const { decision, candidates } = await engine.solve("1+2?", { budget: 64, seed: 3, maxLength: 40 });
    expect(decision!.rounds).toEqual([{ strategy: "weighted-best-of-n", generations: 4 }]);
    expect(candidates).toHaveLength(4);
  });

  test("does not spend what the policy expects nothing of", async () => {
    await load(
      policyWith([
        { budget: 4, generations: 4 },
        { budget: 64, generations: 8 },
      ]),
    );
    expect((await engine.solve("1+2?", { budget: 64, seed: 3 })).generations).toBe(8);
  });

  test("runs what can be divided in rounds, so that it can stop between them", async () => {
    const entry = { budget: 32, generations: 32, strategy: "dvts" as const, settings: { beamWidth: 2 } };
    await load(policyWith([entry], { stop: { agreement: 1, share: null } }));
    const inRounds = await engine.solve("1+2?", { budget: 32, seed: 3 });
    const sizes = inRounds.decision!.rounds.map(({ strategy, generations }) => `${strategy} ${generations}`);
    expect(sizes).toEqual(["weighted-best-of-n 4", ...["dvts 4", "dvts 4", "dvts 6", "dvts 8", "dvts 6"]]);
    const atOnce = await engine.solve("1+2?", { budget: 32, seed: 3, earlyStop: false });
    expect(atOnce.decision!.rounds.map(({ generations }) => generations)).toEqual([4, 28]);
  });

  test("makes the same choices again for the same seed", async () => {
    await load(policyWith([{ budget: 16, generations: 16, strategy: "dvts", settings: { beamWidth: 4 } }]));
    const [a, b] = [await engine.solve("1+2?", { seed: 9 }), await engine.solve("1+2?", { seed: 9 })];
    expect(a.text).toBe(b.text);
    expect(a.decision).toEqual(b.decision);
  });

  test("falls back on samples where too little is left for the policy's strategy", async () => {
    await load(policyWith([{ budget: 4, generations: 6, strategy: "beam", settings: { beamWidth: 4 } }]));
    const { decision } = await engine.solve("1+2?", { budget: 6, seed: 3 });
    expect(decision!.rounds.map(({ strategy }) => strategy)).toEqual(["weighted-best-of-n", "weighted-best-of-n"]);
  });

  test("refuses an estimate that the policy knows nothing of", async () => {
    await load(defaultPolicy(true));
    const failure = await engine.solve("1+2?", { estimate: "question" }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ThinkTreeError);
    expect(String(failure)).toMatch(/no bins by question/);
    expect(engine.stats().searches).toBe(0);
  });

  test("guesses from the question alone at the cost of its prefill, and probes nothing", async () => {
    const entry = { budget: 8, generations: 8, strategy: "beam" as const, settings: { beamWidth: 4 } };
    const base = policyWith([entry]);
    const bins = { question: base.bins.agreement! };
    await load({ ...base, bins, estimate: "question", questionProbe: { bias: 0.5, weights: [0] } });
    const { decision } = await engine.solve("1+2?", { budget: 8, seed: 3 });
    expect(decision).toMatchObject({ estimate: "question", difficulty: 0.5, bin: 0 });
    expect(decision!.rounds).toEqual([{ strategy: "beam", generations: 8 }]);
  });
});

describe("many questions out of one budget", () => {
  const questions = Array.from({ length: 12 }, (_, i) => `${i}+2?`);

  test("never cost more together, and each gets an answer", async () => {
    await load(defaultPolicy(true));
    for (const generations of [12, 30, 48, 200]) {
      const seen: number[] = [];
      const answers = await engine.solveAll(questions, {
        ...{ budget: { generations }, seed: 5 },
        onAnswer: (_, i) => seen.push(i),
      });
      expect(answers).toHaveLength(questions.length);
      expect(answers.reduce((sum, answer) => sum + answer.generations, 0)).toBeLessThanOrEqual(generations);
      expect(seen.sort((a, b) => a - b)).toEqual(questions.map((_, i) => i));
    }
    expect(engine.stats()).toMatchObject({ searches: 0, branches: 0, kvCells: 0 });
  });

  test("spend the rest where the curve rises", async () => {
    // Easy questions gain nothing from more; hard ones do.
    const entries = (rise: number) =>
      [4, 16].map((budget) => ({ budget, generations: budget, accuracy: 0.5 + (budget === 16 ? rise : 0) }));
    const [flat, rising] = [policyWith(entries(0)), policyWith(entries(0.4))];
    const bins = [
      { ...flat.overall, upTo: 0.6 },
      { ...rising.overall, upTo: 1 },
    ];
    await load({ ...flat, bins: { agreement: bins } });
    const answers = await engine.solveAll(questions, {
      budget: { generations: 12 * 4 + 36 },
      seed: 5,
      earlyStop: false,
    });
    const grown = answers.filter(({ generations }) => generations > 4);
    expect(grown.length).toBeGreaterThan(0);
    expect(grown.every(({ decision }) => decision!.bin === 1)).toBe(true);
  });

  test("need a generation each, and are refused with less", async () => {
    await load(defaultPolicy(true));
    await expect(engine.solveAll(questions, { budget: { generations: 11 } })).rejects.toThrow(
      /at least one a question: 12/,
    );
    await expect(engine.solveAll([], { budget: { generations: 1 } })).resolves.toEqual([]);
  });

  test("are given up together when one fails or the caller cancels", async () => {
    await load(defaultPolicy(true));
    const controller = new AbortController();
    const all = engine.solveAll(questions, {
      ...{ budget: { generations: 600 }, seed: 1, signal: controller.signal },
    });
    setTimeout(() => controller.abort(), 5);
    await expect(all).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(engine.solveAll(["1+2?", " "], { budget: { generations: 8 } })).rejects.toMatchObject({
      code: "EMPTY_PROMPT",
    });
    expect(engine.stats()).toMatchObject({ searches: 0, branches: 0 });
  });
});
