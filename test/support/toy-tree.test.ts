/** The toy tree keeps the contract of lib/engine/search-tree.ts, and notices who breaks it. */
import { describe, expect, it } from "vitest";
import { ToyTree, type ToyStep } from "./toy-tree.js";

const two: ToyStep[] = [
  { text: "a\n", probability: 1, score: 0.3, tokens: 4, then: [{ text: "end\n", score: 0.8, tokens: 2 }] },
  { text: "b\n", probability: 3, score: 0.6, tokens: 4, then: [{ text: "end\n", score: 0.9, tokens: 2 }] },
];
const fork = (tree: ToyTree, n = 1) => tree.fork(tree.root, n);

describe("ToyTree", () => {
  it("samples by probability; greedily the likeliest", async () => {
    const tree = new ToyTree(two);
    const branches = fork(tree, 4000);
    await tree.extend(branches);
    expect(branches.filter(({ text }) => text === "b\n").length / 4000).toBeCloseTo(0.75, 1);
    const [greedy] = fork(tree);
    await tree.extend([greedy!], { steps: Infinity, temperature: 0 });
    expect(greedy).toMatchObject({ text: "b\nend\n", finished: true, finishReason: "end" });
  });

  it("writes to a step's end, an end, a limit, a budget or a deadline", async () => {
    const reason = async (options: ConstructorParameters<typeof ToyTree>[1], steps = 1) => {
      const tree = new ToyTree(two, options);
      const [branch] = fork(tree);
      await tree.extend([branch!], { steps });
      return [branch!.finishReason, tree.tokens, tree.exhausted];
    };
    expect(await reason({})).toEqual(["step", 4, false]);
    expect(await reason({}, 9)).toEqual(["end", 6, false]);
    expect(await reason({ maxLength: 5 }, 9)).toEqual(["length", 5, false]);
    expect(await reason({ tokenBudget: 5 }, 9)).toEqual(["budget", 5, true]);
    expect(await reason({ deadline: 1 }, 9)).toEqual(["deadline", 4, true]);
  });

  it("scores a step once, for every branch that shares it", async () => {
    const tree = new ToyTree(two);
    const [parent] = fork(tree);
    await tree.extend([parent!]);
    const children = tree.fork(parent!, 2);
    await tree.score(children);
    expect(tree.stepsScored).toBe(1);
    expect(parent!.steps[0]!.score).toBe(children[1]!.steps[0]!.score);
  });

  it("begins a solution anew in the context of another", async () => {
    const revised = (context: string) => [{ text: `${context.length}\n` }];
    const tree = new ToyTree(two, { revised });
    const [attempt] = fork(tree);
    await tree.extend([attempt!], { steps: Infinity, temperature: 0 });
    const again = tree.condition(attempt!, "again\n");
    expect(again).toMatchObject({ steps: [], text: "", finished: false, finishReason: null });
    tree.release([attempt!]);
    const children = tree.fork(again, 2);
    await tree.extend(children);
    expect(children.map(({ text, finished }) => [text, finished])).toEqual([
      ["12\n", true],
      ["12\n", true],
    ]);
    expect(tree.wholeContexts).toEqual(["", "b\nend\nagain\n", "b\nend\nagain\n"]);
    expect(tree.live).toBe(3);
    expect(() => tree.condition(attempt!, "again\n")).toThrow("condition of a released branch");
  });

  it("lets what is released be read", async () => {
    const tree = new ToyTree(two);
    const [branch] = fork(tree);
    await tree.extend([branch!], { steps: Infinity, score: true });
    tree.release([branch!]);
    expect(tree.live).toBe(0);
    expect(branch!.steps.map(({ score }) => score)).not.toContain(null);
  });

  it("refuses what the contract forbids", async () => {
    const tree = new ToyTree(two, { delaySeed: 1 });
    const [released, busy] = fork(tree, 2);
    tree.release([released!]);
    expect(() => tree.release([released!])).toThrow("release of a released branch");
    expect(() => tree.fork(released!, 1)).toThrow("fork of a released branch");
    await expect(tree.extend([released!])).rejects.toThrow("extend of a released branch");
    await expect(tree.score([released!])).rejects.toThrow("score of a released branch");
    expect(() => tree.release([tree.root])).toThrow("root");
    await expect(tree.extend([tree.root])).rejects.toThrow("root");
    expect(() => tree.fork(new ToyTree(two).root, 0)).toThrow("fork into 0");
    const extended = tree.extend([busy!]);
    expect(() => tree.release([busy!])).toThrow("under way");
    await expect(tree.extend([busy!])).rejects.toThrow("under way");
    await extended;
    await expect(tree.extend([busy!, busy!])).rejects.toThrow("twice");
  });

  it("completes out of order on demand, and fails on demand", async () => {
    const endings = async (delaySeed: number) => {
      const tree = new ToyTree(
        Array.from({ length: 99 }, (_, i) => ({ text: `${i} ` })),
        { delaySeed },
      );
      await tree.extend(fork(tree, 8));
      return tree.wholeTexts.join("");
    };
    expect(await endings(1)).not.toBe(await endings(2));

    const tree = new ToyTree(two, { failOn: { call: "extend", n: 2 } });
    const branches = fork(tree, 2);
    await tree.extend(branches);
    await expect(tree.extend(branches)).rejects.toMatchObject({ code: "DECODE_FAILED" });
    expect(branches.map(({ steps }) => steps.length)).toEqual([2, 1]);
  });
});
