/** Scoring many solutions over an engine that is a stub: what is asked, kept, resumed, cancelled. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { scoreSteps, type StepScoring } from "../../lib/evaluation/score-steps.js";
import { ThinkTreeError } from "../../lib/errors.js";
import type { PaceReport } from "../../lib/evaluation/pace.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-score-"));
const journal = join(folder, "journal");
beforeEach(() => rmSync(journal, { force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const solutions = Array.from({ length: 20 }, (_, i) => ({
  question: `${i}?`,
  steps: Array<string>(1 + (i % 3)).fill("s"),
}));

/** Scores each step 1 / (its question's number + 1); "7?" is too long. */
class StubEngine {
  readonly asked: string[] = [];
  underWay = 0;
  mostUnderWay = 0;

  constructor(
    readonly fingerprints = { generator: "g", verifier: "v" },
    private readonly before: (question: string) => Promise<void> = () => setImmediate(),
  ) {}

  readonly models = { generator: {}, verifier: { recipe: { "verifier.recipe": "made-up" } } };

  async score(question: string, steps: readonly string[], { signal }: { signal?: AbortSignal } = {}) {
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    try {
      await this.before(question);
      if (signal?.aborted) throw new ThinkTreeError("CANCELLED", "the search was cancelled");
    } finally {
      this.underWay--;
    }
    this.asked.push(question);
    if (question === "7?") throw new ThinkTreeError("CONTEXT_EXCEEDED", "too long");
    return { scores: steps.map(() => 1 / (Number.parseInt(question) + 1)) };
  }

  run(others: Partial<StepScoring> = {}) {
    return scoreSteps({ engine: this as unknown as StepScoring["engine"], solutions, journal, ...others });
  }
}

describe("scoreSteps", () => {
  it("scores every solution, some at a time, in their order; null where one does not fit", async () => {
    const engine = new StubEngine();
    const scores = await engine.run({ atOnce: 5 });
    expect(scores).toEqual(solutions.map(({ steps }, i) => (i === 7 ? null : steps.map(() => 1 / (i + 1)))));
    expect(engine.mostUnderWay).toBe(5);
  });

  it("scores nothing twice: not what stands there twice, nor what a journal has, also for other solutions", async () => {
    const engine = new StubEngine();
    const twice = await engine.run({ solutions: [...solutions, ...solutions] });
    expect(engine.asked).toHaveLength(20);
    expect(twice.slice(20)).toEqual(twice.slice(0, 20));
    const more = [...solutions.slice(5).reverse(), { question: "30?", steps: ["s"] }];
    const scores = await engine.run({ solutions: more });
    expect(engine.asked.slice(20)).toEqual(["30?"]);
    expect(scores.at(-1)).toEqual([1 / 31]);
    expect(scores[0]).toEqual(twice[19]);
  });

  it("tells how far it is, with what is known as done", async () => {
    const reports: PaceReport[] = [];
    await new StubEngine().run({ solutions: solutions.slice(0, 4) });
    await new StubEngine().run({ solutions: solutions.slice(0, 6), onProgress: (report) => reports.push(report) });
    expect(reports.map(({ done, total }) => [done, total])).toEqual([
      [4, 6],
      [5, 6],
      [6, 6],
    ]);
    expect(reports[0]!.remainingMs).toBeNull();
    expect(reports[2]!.remainingMs).toBe(0);
  });

  it("keeps what is done when it is stopped, and goes on from there", async () => {
    const controller = new AbortController();
    const stopping = new StubEngine(undefined, async (question) => {
      await setImmediate();
      if (question === "6?") controller.abort();
    });
    await expect(stopping.run({ atOnce: 2, signal: controller.signal })).rejects.toMatchObject({ code: "CANCELLED" });
    const kept = readFileSync(journal, "utf8").trimEnd().split("\n").length - 1;
    expect(kept).toBe(stopping.asked.length);
    expect(kept).toBeLessThan(20);
    const resumed = new StubEngine();
    expect(await resumed.run()).toHaveLength(20);
    expect(resumed.asked).toHaveLength(20 - kept);
  });

  it("ends with any other error, and refuses a journal of another verifier", async () => {
    const failing = new StubEngine(undefined, () => Promise.reject(new ThinkTreeError("BAD_LOGITS", "broken")));
    await expect(failing.run()).rejects.toMatchObject({ code: "BAD_LOGITS" });
    await expect(new StubEngine({ generator: "g", verifier: "w" }).run()).rejects.toThrow(
      /another run \(other models\)/,
    );
  });
});
