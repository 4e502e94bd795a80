import { describe, expect, it } from "vitest";
import { beamAfterAttempt, beamSearch } from "../../lib/strategies/index.js";
import type { ToyStep } from "../support/toy-tree.js";
import { chain, needle, right, solve, solved, wrong } from "./problems.js";

const separator = "Try again:\n";

describe("beamAfterAttempt", () => {
  it("searches step by step with an attempt in view", async () => {
    const strategy = beamAfterAttempt({ n: 6, beamWidth: 3, separator });
    const revised = () => chain(3, 0.9);
    const { tree, candidates } = await solve(strategy, [wrong(0.4)], { revised });
    expect(strategy.generations).toBe(7);
    expect(tree.calls.filter(({ call }) => call === "condition")).toEqual([
      { call: "condition", before: "A: wrong\n", text: "Try again:\n" },
    ]);
    expect(tree.wholeContexts).toEqual(["", ...Array.from({ length: 6 }, () => "A: wrong\nTry again:\n")]);
    expect(tree.calls.filter(({ call }) => call === "extend")).toHaveLength(1 + 3);
    expect(candidates[0]!.answer).toBe("right");
    expect(candidates).toHaveLength(7);
  });

  it("shows the best of several attempts; all of them stay candidates", async () => {
    const attempts: ToyStep[] = [1, 2, 3, 4].map((i) => ({ text: `A: ${i}\n`, score: i / 10 }));
    const strategy = beamAfterAttempt({ attempts: 12, n: 2, beamWidth: 2, separator });
    const { tree, candidates } = await solve(strategy, attempts, { revised: () => [right(0.1)] });
    const best = tree.wholeTexts.slice(0, 12).sort().at(-1)!;
    expect(tree.wholeContexts.at(-1)).toBe(`${best}Try again:\n`);
    expect(candidates).toHaveLength(14);
  });

  it("is as good as the beam search where the attempt teaches nothing", async () => {
    const seeds = 100;
    const after = await solved(beamAfterAttempt({ n: 16, beamWidth: 4 }), needle(), seeds);
    const alone = await solved(beamSearch({ n: 16, beamWidth: 4 }), needle(), seeds);
    expect(Math.abs(after - alone) / seeds).toBeLessThan(0.15);
  });

  it("begins at the question where every attempt was cut off", async () => {
    const { tree } = await solve(beamAfterAttempt({ n: 2, beamWidth: 2, attempts: 2 }), chain(9), { maxLength: 4 });
    expect(tree.calls.some(({ call }) => call === "condition")).toBe(false);
    expect(
      tree.calls
        .filter((call) => call.call === "fork")
        .map(({ text, n }) => [text, n])
        .slice(0, 2),
    ).toEqual([
      ["", 2],
      ["", 2],
    ]);
  });

  it("reports the attempts as the first round, and counts them", async () => {
    const { rounds } = await solve(beamAfterAttempt({ n: 2, beamWidth: 2, attempts: 3 }), chain(2, 0.6));
    expect(rounds.map(({ round, live, finished }) => [round, live, finished])).toEqual([
      [1, 0, 3],
      [2, 2, 3],
      [3, 0, 5],
    ]);
  });
});
