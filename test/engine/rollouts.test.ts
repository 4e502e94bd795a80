/** Step labels by the real addon: on the toy backend, and on the embedded models. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";

import { readQuestions, type Question } from "../../lib/evaluation/questions.js";
import { mean } from "../../lib/evaluation/statistics.js";
import { Engine, exactText } from "../../lib/index.js";
import { labelSteps, stepLabelsOf, type LabelOptions } from "../../lib/training/label-steps.js";
import { abortAfter, type Fake } from "../support/fake-engine.js";
import { embeddedModels } from "../support/models.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-rollouts-"));
afterAll(() => rmSync(folder, { recursive: true }));
let journals = 0;
const fresh = () => ({ journal: join(folder, `${journals++}.jsonl`) });
const nothingHeld = { searches: 0, branches: 0, leases: 0, kvCells: 0 };

describe("labelSteps on the toy backend", () => {
  const answerOf = (text: string) => String(text.length % 3);
  const grader = { name: "same", answerOf, grade: async (answer: string | null, right: string) => answer === right };
  const questions: Question[] = Array.from({ length: 6 }, (_, i) => ({
    ...{ id: String(i), question: `${i}+2?`, answer: String(i % 3), other: {} },
  }));
  const how = { solutions: 8, rollouts: 6, seed: 7, sampling: {}, grader };
  let engine: Engine;
  afterEach(() => engine.close());
  const load = async (fake: Fake = {}) => (engine = await Engine.load({ generator: { fake }, verifier: null }));

  it("has rollouts of the same seed the same, alone, in company, and where cells and leases are few", async () => {
    const labelled = await labelSteps(await load(), questions, { ...how, ...fresh() });
    expect(engine.stats()).toMatchObject(nothingHeld);
    await engine.close();
    for (const { solutions, rollouts } of labelled) {
      expect(solutions.length).toBeGreaterThan(1);
      expect(rollouts).toBeGreaterThanOrEqual(6 * solutions[0]!.right.length - 6);
    }
    const [third] = await labelSteps(await load(), [questions[2]!], { ...how, ...fresh() });
    expect(third).toEqual(labelled[2]);
    await engine.close();
    await load({ cells: 300, sequences: 4 });
    expect(await labelSteps(engine, questions, { ...how, ...fresh() })).toEqual(labelled);
    expect(engine.stats()).toMatchObject(nothingHeld);
  });

  it("ends where it is stopped, holds nothing, and goes on from its journal", async () => {
    const whole = await labelSteps(await load({ decodeMicroseconds: 100 }), questions, { ...how, ...fresh() });
    const kept: LabelOptions = { ...how, ...fresh() };
    for (const decodes of [1, 20, 40, 80, 160]) {
      const stopped = labelSteps(engine, questions, { ...kept, signal: abortAfter(engine, decodes) });
      await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
      expect(engine.stats()).toMatchObject(nothingHeld);
    }
    expect(await labelSteps(engine, questions, kept)).toEqual(whole);
  });

  it("fails with the engine's own error, and holds nothing", async () => {
    const failing = labelSteps(await load({ nanAfterToken: "+".charCodeAt(0) }), questions, { ...how, ...fresh() });
    await expect(failing).rejects.toMatchObject({ code: "BAD_LOGITS" });
    expect(engine.stats()).toMatchObject(nothingHeld);
  });
});

describe.skipIf(embeddedModels() === undefined)("labelSteps on the embedded models (needs models/)", () => {
  it("values steps of right solutions higher, and decodes each token of the tree once", async () => {
    await using engine = await Engine.load({ generator: embeddedModels()!.generator, verifier: null });
    const questions = await readQuestions(embeddedModels()!.heldOut, 12);
    const how = { solutions: 8, rollouts: 8, seed: 1, sampling: {}, grader: exactText() };
    const labelled = await labelSteps(engine, questions, { ...how, ...fresh() });

    const records = questions.flatMap((question, i) => stepLabelsOf(question, labelled[i]!, how));
    const values = (correct: boolean) =>
      records.filter((one) => one.correct === correct).flatMap((one) => one.values.slice(0, -1));
    // 0.7 and 0.1 or so: what ends wrong has mostly gone wrong early.
    expect(mean(values(true))).toBeGreaterThan(mean(values(false)) + 0.3);
    for (const { completions, labels, rollouts, answer } of records) {
      expect(labels).toHaveLength(completions.length);
      expect(rollouts).toEqual([...Array<number>(completions.length - 1).fill(8), 1]);
      expect(completions.at(-1)).toBe(`A: ${answer}`);
      for (const step of completions) expect(step).not.toContain("\n");
    }
    // Were the way to a step read again for its rollouts, more would be decoded than was written.
    const written = labelled.reduce((sum, { cost }) => sum + cost.promptTokens + cost.generatedTokens, 0);
    expect(engine.stats().decodedTokens).toBeLessThanOrEqual(written);
    expect(engine.stats()).toMatchObject(nothingHeld);
  });

  it("has nothing of a question that is longer than the context", async () => {
    await using engine = await Engine.load({ generator: embeddedModels()!.generator, verifier: null });
    const long = { id: "long", question: "4*6=24 ".repeat(1_000), answer: "1", other: {} };
    const how = { solutions: 2, rollouts: 2, seed: 1, sampling: {}, grader: exactText() };
    expect(await labelSteps(engine, [long], { ...how, ...fresh() })).toMatchObject([{ solutions: [], rollouts: 0 }]);
  });
});
