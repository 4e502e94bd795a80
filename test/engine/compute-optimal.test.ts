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

  test("runs all the rest at once where solutions are alike: in rounds it would be written again and again", async () => {
    await load(policyWith([{ budget: 32, generations: 32 }], { stop: { agreement: 1, share: null } }));
    const { decision, ledger } = await engine.solve("1+2?", { budget: 32, seed: 3, temperature: 0 });
    expect(decision!.rounds.map(({ generations }) => generations)).toEqual([4, 28]);
    expect(ledger.coalescedTokens).toBeGreaterThan(ledger.generatedTokens);
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

  test("that can afford no guess, or is stopped before it, answers with what it has: nothing", async () => {
    const base = policyWith([{ budget: 8, generations: 8 }]);
    const bins = { question: base.bins.agreement! };
    await load({ ...base, bins, estimate: "question", questionProbe: { bias: 0.5, weights: [0] } });
    const poor = await engine.solve("1+2?", { budget: { flops: 1 }, seed: 3 });
    expect(poor).toMatchObject({ answer: null, finishReason: "budget", decision: { difficulty: null } });
    const stopped = await engine.solve("1+2?", { stop: AbortSignal.abort(), seed: 3 });
    expect(stopped).toMatchObject({ answer: null, finishReason: "stopped", decision: { difficulty: null } });
  });
});
