/** Evaluation over an engine that is a stub: what is asked, kept, resumed, cancelled, and what comes out. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { evaluate, type EvaluationOptions, type EvaluationProgress } from "../../lib/evaluation/evaluate.js";
import { means } from "../../lib/grading/symbolic.js";
import type { Question } from "../../lib/evaluation/questions.js";
import type { Answer, SolveOptions } from "../../lib/scheduler/solve-options.js";
import { defaultPolicy } from "../../lib/scheduler/default-policy.js";
import { ThinkTreeError } from "../../lib/errors.js";
import { beamSearch, bestOfN, majorityVote, type Strategy } from "../../lib/strategies/index.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-evaluate-"));
const journal = join(folder, "journal");
beforeEach(() => rmSync(journal, { force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const questions: Question[] = Array.from({ length: 20 }, (_, i) => ({
  ...{ id: `q${i}`, question: `${i}+1?`, answer: String(i + 1), other: {} },
}));

const ledger: Answer["ledger"] = {
  ...{
    promptTokens: 10,
    generatedTokens: 400,
    coalescedTokens: 0,
    verifierPromptTokens: 12,
    verifierTokens: 300,
    referenceTokens: 0,
    recomputedTokens: 0,
  },
  ...{ kvCellsPeak: 1, verifierKvCellsPeak: 1, treeTokensPeak: 1, milliseconds: 8, flops: 1_000 },
  ...{ speculatedTokens: 0, speculatedKept: 0, draftTokens: 0 },
};
const model = { parameters: 100, vocabulary: 1, positions: 1, recipe: {} };

/** Answers "i+1" right for even i, and for odd i with one sample of four, the last. */
class StubEngine {
  models = { generator: model, verifier: { ...model, recipe: { "verifier.recipe_digest": "one" } } };
  readonly fingerprints = { generator: "g", verifier: "v" };
  readonly policy = defaultPolicy(true);
  readonly asked: string[] = [];
  readonly seeds = new Map<string, number>();
  underWay = 0;
  mostUnderWay = 0;

  constructor(private readonly before: (question: string) => Promise<void> = () => setImmediate()) {}

  answerOf: SolveOptions["answerOf"];

  async solve(question: string, options: SolveOptions = {}): Promise<Answer> {
    this.answerOf = options.answerOf;
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    try {
      await this.before(question);
      if (options.signal?.aborted) throw new ThinkTreeError("CANCELLED", "the search was cancelled");
    } finally {
      this.underWay--;
    }
    this.asked.push(question);
    this.seeds.set(question, options.seed!);
    const i = Number.parseInt(question);
    const n = options.strategy?.generations ?? 16;
    const candidates = Array.from({ length: n }, (_, j) => ({
      ...{
        answer: i % 2 === 0 || j % 4 === 3 ? `${i + 1} pens` : "wrong",
        score: 1 - j / n,
        weight: 1,
        text: "",
        steps: [],
      },
      ...{ finished: true, finishReason: "end" as const, flags: [] },
    }));
    const [{ answer, score }] = candidates as [(typeof candidates)[0]];
    const { name, options: settings } = options.strategy ?? { name: "compute-optimal", options: {} };
    return {
      ...{ answer, score, text: "", steps: [], candidates, decision: null, finishReason: "complete" },
      ...{ strategy: { name, options: settings }, generations: n, seed: options.seed!, ledger },
    };
  }

  solveWith(strategy: Strategy | undefined, others: Partial<EvaluationOptions> = {}) {
    const grader = {
      name: "means",
      grade: async (given: string | null, right: string) => given !== null && means(given, right),
    };
    return evaluate({
      engine: this,
      questions,
      solve: { strategy },
      seed: 1,
      grader,
      journal,
      ...others,
    } as EvaluationOptions);
  }
}

describe("evaluate", () => {
  it("keeps the data set's subject and level with every answer", async () => {
    const some = [{ ...questions[0]!, subject: "Algebra", level: 3 }, questions[1]!];
    const { records } = await new StubEngine().solveWith(beamSearch({ n: 4, beamWidth: 2 }), { questions: some });
    expect(records[0]).toMatchObject({ id: "q0", subject: "Algebra", level: 3 });
    expect(records[1]).not.toHaveProperty("subject");
  });

  it("tells accuracy with its interval, cost, and every answer in the order of the questions", async () => {
    const found = await new StubEngine().solveWith(beamSearch({ n: 4, beamWidth: 2 }));
    expect(found.accuracy.mean).toBe(0.5);
    expect(found.accuracy.low).toBeGreaterThan(0.2);
    expect(found.accuracy.high).toBeLessThan(0.8);
    expect(found.questions).toBe(20);
    expect(found.cost).toEqual({
      ...{ generations: 4, promptTokens: 10, generatedTokens: 400, verifierPromptTokens: 12, verifierTokens: 300 },
      ...{ coalescedTokens: 0, flops: 1_000, milliseconds: 8 },
    });
    expect(found.curve).toEqual([]);
    expect(found.records.map(({ id }) => id)).toEqual(questions.map(({ id }) => id));
    expect(found.records[2]).toMatchObject({
      question: "2+1?",
      reference: "3",
      answer: "3 pens",
      right: true,
      samples: null,
    });
  });

  it("has the whole curve of a strategy that samples, and what each point costs", async () => {
    const found = await new StubEngine().solveWith(bestOfN({ n: 4 }));
    const points = (choice: string) => found.curve.filter((point) => point.choice === choice);
    expect(points("best-of-n").map(({ k }) => k)).toEqual([1, 2, 4]);
    const means = (choice: string) => points(choice).map(({ accuracy }) => Number(accuracy.mean.toFixed(10)));
    // Odd questions: one of four is right, the worst scored.
    expect(means("best-of-n")).toEqual([0.625, 0.5, 0.5]);
    expect(means("pass")).toEqual([0.625, 0.75, 1]);
    expect(means("majority")[2]).toBe(0.5);
    expect(points("best-of-n")[1]!.cost).toEqual({
      ...{ generations: 2, promptTokens: 10, generatedTokens: 200, verifierPromptTokens: 12, verifierTokens: 150 },
      ...{ coalescedTokens: 0, flops: 2 * 100 * (10 + 200 + 12 + 150), milliseconds: 4 },
    });
    expect(points("majority")[0]!.cost).toMatchObject({
      generatedTokens: 100,
      verifierPromptTokens: 0,
      verifierTokens: 0,
    });
  });

  it("counts samples that were cut short as wrong", async () => {
    const engine = new StubEngine();
    const solve = engine.solve.bind(engine);
    engine.solve = async (...args) => {
      const answer = await solve(...args);
      return { ...answer, candidates: answer.candidates.slice(0, 2) };
    };
    const { records, curve } = await engine.solveWith(majorityVote({ n: 4 }));
    expect(records[0]!.samples!.filter(({ right }) => right)).toHaveLength(2);
    expect(records[0]!.samples).toHaveLength(4);
    expect(curve.find(({ choice, k }) => choice === "pass" && k === 1)!.accuracy.mean).toBe(0.25);
    expect(new Set(curve.map(({ choice }) => choice))).toEqual(new Set(["majority", "pass"]));
  });

  it("bounds the branches under way, and has at least one question", async () => {
    for (const [n, atOnce] of [
      [4, 4],
      [32, 1],
    ] as const) {
      rmSync(journal, { force: true });
      const engine = new StubEngine();
      await engine.solveWith(majorityVote({ n }), { branches: 16 });
      expect(engine.mostUnderWay).toBe(atOnce);
    }
  });

  it("goes on where it was stopped, ends the same, and asks nothing twice", async () => {
    const unbroken = await new StubEngine().solveWith(bestOfN({ n: 4 }));
    rmSync(journal);
    const controller = new AbortController();
    const engine = new StubEngine(async (question) => {
      await setImmediate();
      if (question === "9+1?") controller.abort();
    });
    await expect(engine.solveWith(bestOfN({ n: 4 }), { signal: controller.signal, branches: 4 })).rejects.toMatchObject(
      {
        code: "CANCELLED",
      },
    );
    expect(engine.underWay).toBe(0);
    expect(engine.asked).toHaveLength(9);
    expect(readFileSync(journal, "utf8")).toMatch(/\}\n$/);

    const second = new StubEngine();
    const told: EvaluationProgress[] = [];
    const resumed = await second.solveWith(bestOfN({ n: 4 }), { onProgress: (progress) => told.push(progress) });
    expect(resumed).toEqual(unbroken);
    expect(second.asked).toHaveLength(11);
    expect(told[0]).toEqual({ done: 9, total: 20, right: 5, remainingMs: null });
    expect(told.at(-1)).toMatchObject({ done: 20, total: 20, right: 10, remainingMs: 0 });

    const third = new StubEngine();
    expect(await third.solveWith(bestOfN({ n: 4 }))).toEqual(unbroken);
    expect(third.asked).toEqual([]);
  });

  it("stops before it asks anything if it is stopped already", async () => {
    const engine = new StubEngine();
    await expect(engine.solveWith(undefined, { signal: AbortSignal.abort() })).rejects.toThrow(/stopped/);
    expect(engine.asked).toEqual([]);
  });

  it("gives each question its own seed, whatever stands around it", async () => {
    const [all, one] = [new StubEngine(), new StubEngine()];
    await all.solveWith(majorityVote({ n: 1 }));
    rmSync(journal);
    await one.solveWith(majorityVote({ n: 1 }), { questions: questions.slice(7, 8) });
    expect(new Set(all.seeds.values()).size).toBe(20);
    expect(one.seeds.get("7+1?")).toBe(all.seeds.get("7+1?"));
    for (const seed of all.seeds.values()) expect(Number.isSafeInteger(seed)).toBe(true);
  });

  it("refuses the journal of another strategy, seed or set of questions", async () => {
    await new StubEngine().solveWith(majorityVote({ n: 4 }));
    const others: [Strategy | undefined, Partial<EvaluationOptions>, RegExp][] = [
      [majorityVote({ n: 8 }), {}, /other strategy/],
      [undefined, {}, /other strategy/],
      [majorityVote({ n: 4 }), { seed: 2 }, /other seed/],
      [majorityVote({ n: 4 }), { questions: questions.slice(1) }, /other questions/],
      [majorityVote({ n: 4 }), { grader: { name: "another", grade: async () => true } }, /other grader/],
    ];
    for (const [strategy, options, message] of others) {
      await expect(new StubEngine().solveWith(strategy, options)).rejects.toThrow(message);
    }
  });

  it("refuses the journal of another reading by the same verifier", async () => {
    const strategy = majorityVote({ n: 4 });
    await new StubEngine().solveWith(strategy);
    const other = new StubEngine();
    other.models = { ...other.models, verifier: { ...model, recipe: { "verifier.recipe_digest": "another" } } };
    await expect(other.solveWith(strategy)).rejects.toThrow(/another run \(other read\)/);
    expect(other.asked).toEqual([]);
  });

  it("reads answers as the grader does", async () => {
    const engine = new StubEngine();
    const answerOf = () => "an answer";
    await engine.solveWith(majorityVote({ n: 1 }), { grader: { name: "own", grade: async () => true, answerOf } });
    expect(engine.answerOf).toBe(answerOf);
  });

  it("asks nothing where the grader cannot use a reference", async () => {
    const engine = new StubEngine();
    const check = (reference: string) => {
      if (reference === "20") throw new ThinkTreeError("INVALID_OPTION", "not 20");
    };
    const grader = { name: "own", grade: async () => true, check };
    await expect(engine.solveWith(majorityVote({ n: 1 }), { grader })).rejects.toThrow("not 20");
    expect(engine.asked).toEqual([]);
  });

  it("counts a question that does not fit the context as wrong, and goes on", async () => {
    const engine = new StubEngine(async (question) => {
      if (question === "0+1?") throw new ThinkTreeError("CONTEXT_EXCEEDED", "too long");
    });
    const { records, accuracy, curve } = await engine.solveWith(majorityVote({ n: 2 }));
    expect(records[0]).toMatchObject({ right: false, finishReason: "failed", samples: null });
    expect(accuracy.mean).toBe(0.45);
    expect(curve.find(({ choice, k }) => choice === "pass" && k === 2)!.accuracy.mean).toBe(0.45);
  });

  it("fails with what failed, cancels the rest, and keeps what is done", async () => {
    const engine = new StubEngine(async (question) => {
      await setImmediate();
      if (question === "5+1?") throw new ThinkTreeError("DECODE_FAILED", "boom");
    });
    await expect(engine.solveWith(majorityVote({ n: 16 }))).rejects.toMatchObject({ code: "DECODE_FAILED" });
    expect(engine.underWay).toBe(0);
    const kept = readFileSync(journal, "utf8").trimEnd().split("\n").length - 1;
    expect(kept).toBe(engine.asked.length);
    expect(kept).toBeGreaterThanOrEqual(4);
    expect(kept).toBeLessThan(20);
  });
});
