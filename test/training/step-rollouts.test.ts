/** Rollouts on a tree of steps whose every chance is known. */
import { describe, expect, it } from "vitest";

import { rollOut } from "../../lib/training/step-rollouts.js";
import { ToyTree, type ToyOptions, type ToyStep } from "../support/toy-tree.js";

const answerOf = (text: string) => /A: (\w+)\n$/.exec(text)?.[1] ?? null;
const end = (answer: string, probability = 1): ToyStep => ({ text: `A: ${answer}\n`, probability });

/** A good first step leads to the answer three times of four, a bad one never; one way ends without an answer. */
const steps: readonly ToyStep[] = [
  { text: "good\n", probability: 4, then: [{ text: "on\n", then: [end("right", 3), end("wrong", 1)] }] },
  { text: "bad\n", probability: 4, then: [end("wrong")] },
  { text: "lost\n", probability: 2, then: [{ text: "nothing\n" }] },
];
const sizes = { solutions: 40, rollouts: 400, answerOf };
const grown = async (options: ToyOptions = {}, how = sizes) => {
  const tree = new ToyTree(steps, options);
  return { tree, found: await rollOut(tree, how) };
};
const share = (answers: readonly (string | null)[]) =>
  answers.filter((answer) => answer === "right").length / answers.length;

describe("rollOut", () => {
  it("tells how often each step leads where", async () => {
    const { found } = await grown();
    expect(found.map(({ steps, answer }) => [...steps, answer]).sort()).toEqual([
      ["bad\n", "A: wrong\n", "wrong"],
      ["good\n", "on\n", "A: right\n", "right"],
      ["good\n", "on\n", "A: wrong\n", "wrong"],
    ]);
    for (const { steps, reached } of found) {
      expect(reached).toHaveLength(steps.length - 1);
      for (const answers of reached) {
        expect(answers).toHaveLength(400);
        if (steps[0] === "bad\n") expect(share(answers)).toBe(0);
        else expect(Math.abs(share(answers) - 0.75)).toBeLessThan(0.1);
      }
    }
  });

  it("begins each rollout where the step ends, and once for all solutions that begin so", async () => {
    const { tree, found } = await grown();
    const rolledOut = tree.calls.filter((call) => call.call === "fork" && call.n === 400);
    expect(rolledOut.map((call) => "text" in call && call.text).sort()).toEqual(["bad\n", "good\n", "good\non\n"]);
    const [first, second] = found.filter(({ steps }) => steps[0] === "good\n");
    expect(first!.reached).toEqual(second!.reached);
  });

  it("has every solution once, and counts how often it was sampled", async () => {
    const { tree, found } = await grown();
    const sampled = tree.wholeTexts.slice(0, 40); // before any rollout ends
    for (const { steps, drawn } of found) {
      expect(drawn).toBe(sampled.filter((text) => text === steps.join("")).length);
    }
    expect(sampled.filter((text) => text.startsWith("lost")).length).toBeGreaterThan(0);
  });

  it("has solutions of one step, which need no rollout", async () => {
    const tree = new ToyTree([end("right")]);
    expect(await rollOut(tree, { ...sizes, solutions: 3 })).toEqual([
      { steps: ["A: right\n"], answer: "right", drawn: 3, reached: [] },
    ]);
  });

  it("takes blank lines at the end for no step", async () => {
    const tree = new ToyTree([{ text: "on\n", then: [{ ...end("right"), then: [{ text: "\n" }] }] }]);
    const found = await rollOut(tree, { ...sizes, rollouts: 2, answerOf: (text) => answerOf(text.trimEnd() + "\n") });
    expect(found).toMatchObject([{ steps: ["on\n", "A: right\n"], reached: [["right", "right"]] }]);
  });

  it("leaves out what was cut, and calls a rollout that was cut one without an answer", async () => {
    const deep: ToyStep = { text: "more\n", then: () => [deep, end("right")] };
    const tree = new ToyTree([deep, end("right")], { maxLength: 4 });
    const found = await rollOut(tree, sizes);
    expect(Math.max(...found.map(({ steps }) => steps.length))).toBe(4);
    const longest = found.find(({ steps }) => steps.length === 4)!;
    expect(longest.reached[2]).toContain(null);
    expect(longest.reached[2]).toContain("right");
  });

  it("holds no more branches than the solutions, the ends of their steps, and one step's rollouts", async () => {
    const { tree } = await grown();
    expect(tree.live).toBe(0);
    expect(tree.peakLive).toBeLessThanOrEqual(40 + 5 + 400);
  });

  it("draws the same from the same seed, in whatever order branches end", async () => {
    const [one, other] = [await grown({ seed: 3 }), await grown({ seed: 3, delaySeed: 9 })];
    expect(other.found).toEqual(one.found);
    expect((await grown({ seed: 4 })).found).not.toEqual(one.found);
  });

  it("throws what the tree throws", async () => {
    await expect(grown({ failOn: { call: "extend", n: 5 } })).rejects.toMatchObject({ code: "DECODE_FAILED" });
  });
});
