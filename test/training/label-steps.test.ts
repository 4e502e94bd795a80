/** Labels out of rollouts, on toy trees in place of an engine's. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

import { noCost } from "../../lib/engine/no-figures.js";
import type { Tree, TreeOptions } from "../../lib/engine/tree.js";
import { ThinkTreeError } from "../../lib/errors.js";
import type { Question } from "../../lib/evaluation/questions.js";
import type { Engine } from "../../lib/index.js";
import { labelSteps, stepLabelsOf, type LabelOptions } from "../../lib/training/label-steps.js";
import { ToyTree, type ToyStep } from "../support/toy-tree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-labels-"));
const journal = join(folder, "journal.jsonl");
afterEach(() => rmSync(journal, { force: true }));

const answerOf = (text: string) => /A: (\w+)\n$/.exec(text)?.[1] ?? null;
const grader = { name: "same", answerOf, grade: async (answer: string | null, right: string) => answer === right };
const question = (id: string, answer: string): Question => ({ id, question: `${id}?`, answer, other: {} });
const steps: readonly ToyStep[] = [
  { text: "7*6=42\n", then: [{ text: "A: 42\n" }] },
  { text: "7+6=13\n", then: [{ text: "A: 13\n" }] },
];
const how: LabelOptions = { solutions: 20, rollouts: 5, seed: 1, sampling: {}, journal, grader };

/** Opens toy trees; `asked` has what they were opened with. */
function toyEngine(grow: (options: TreeOptions) => ToyTree) {
  const asked: TreeOptions[] = [];
  const trees: ToyTree[] = [];
  const engine = {
    fingerprints: { generator: "toy", verifier: null },
    models: { generator: { recipe: {} } },
    policy: { temperature: 0.8 },
    openTree: async (options: TreeOptions) => {
      asked.push(options);
      const tree = grow(options);
      trees.push(tree);
      const close = async () => ({ ...noCost, promptTokens: 3, generatedTokens: tree.tokens });
      return Object.assign(tree, { close, [Symbol.asyncDispose]: close }) as unknown as Tree;
    },
  };
  return { engine: engine as unknown as Engine, asked, trees };
}
const usual = () => toyEngine(({ seed }) => new ToyTree(steps, { seed: seed % 1_000 }));

describe("labelSteps", () => {
  it("labels every step by its rollouts, the last by itself, and says what that cost", async () => {
    const { engine, asked, trees } = usual();
    const questions = [question("a", "42"), question("b", "0")];
    const labelled = await labelSteps(engine, questions, how);
    const records = questions.flatMap((one, i) => stepLabelsOf(one, labelled[i]!, how));
    const of = (id: string, answer: string) => records.find((one) => one.id === id && one.answer === answer)!;
    expect(records).toHaveLength(4);
    const cost = { promptTokens: 3, generatedTokens: trees[0]!.tokens, coalescedTokens: 0 };
    expect(of("a", "42")).toEqual({
      ...{ id: "a", prompt: "a?", completions: ["7*6=42", "A: 42"], labels: [true, true], values: [1, 1] },
      ...{ right: [5, 1], rollouts: [5, 1], answer: "42", correct: true, seed: 1, cost },
      drawn: expect.any(Number) as number,
    });
    expect(of("a", "13")).toMatchObject({ labels: [false, false], values: [0, 0], right: [0, 0], correct: false });
    expect(of("a", "42").drawn + of("a", "13").drawn).toBe(20);
    expect(of("b", "42")).toMatchObject({ labels: [false, false], correct: false });
    expect(labelled[0]!.rollouts).toBe(10);
    expect(asked.map(({ sampler }) => sampler.temperature)).toEqual([0.8, 0.8]);
    expect(asked[0]!.seed).not.toBe(asked[1]!.seed);
  });

  it("calls a step right if any of its rollouts ends right, and values it by the share", async () => {
    const rarely = [{ text: "7*?\n", then: [{ text: "A: 42\n" }, { text: "A: 13\n", probability: 9 }] }];
    const { engine } = toyEngine(() => new ToyTree(rarely));
    const many = { ...how, rollouts: 50 };
    const asked = question("a", "42");
    const [labelled] = await labelSteps(engine, [asked], many);
    const wrong = stepLabelsOf(asked, labelled!, many).find(({ correct }) => !correct)!;
    expect(wrong.labels).toEqual([true, false]);
    expect(wrong.values[0]).toBeGreaterThan(0);
    expect(wrong.values[0]).toBeLessThan(0.5);
    expect(wrong.values[0]).toBe(wrong.right[0]! / 50);
  });

  it("grades equal answers once", async () => {
    const graded: (string | null)[] = [];
    const counting = { ...grader, grade: async (answer: string | null) => (graded.push(answer), false) };
    await labelSteps(usual().engine, [question("a", "42")], { ...how, grader: counting });
    expect(graded.sort()).toEqual(["13", "42"]);
  });

  it("has nothing of a question that does not fit the context, and goes on", async () => {
    const { engine } = toyEngine(({ prompt }) => {
      if ([prompt].flat().includes("long?")) throw new ThinkTreeError("CONTEXT_EXCEEDED", "too long");
      return new ToyTree(steps);
    });
    const [long, short] = await labelSteps(engine, [question("long", "42"), question("a", "42")], how);
    expect(long).toMatchObject({ solutions: [], rollouts: 0, cost: { generatedTokens: 0 } });
    expect(short!.solutions).toHaveLength(2);
  });

  it("pays for no question twice, and refuses the journal of another run", async () => {
    const questions = [question("a", "42"), question("b", "13")];
    const first = await labelSteps(usual().engine, questions, how);
    const { engine, asked } = usual();
    expect(await labelSteps(engine, questions, how)).toEqual(first);
    expect(asked).toEqual([]);
    for (const other of [{ rollouts: 6 }, { solutions: 6 }, { seed: 2 }, { sampling: { temperature: 0.7 } }]) {
      await expect(labelSteps(engine, questions, { ...how, ...other })).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringMatching(
          new RegExp(`belongs to another run \\(other ${Object.keys(other)[0]!}\\)`),
        ) as string,
      });
    }
  });

  it("refuses a reference that nothing can be graded by before it asks anything", async () => {
    const { engine, asked } = usual();
    const check = () => {
      throw new ThinkTreeError("INVALID_OPTION", "no number");
    };
    const strict = { ...how, grader: { ...grader, check } };
    await expect(labelSteps(engine, [question("a", "x")], strict)).rejects.toThrow("no number");
    expect(asked).toEqual([]);
    expect(existsSync(journal)).toBe(false);
  });
});
