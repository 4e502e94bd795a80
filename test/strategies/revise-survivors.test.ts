import { describe, expect, it } from "vitest";
import { beamSearch, bestOfN, majorityVote, reviseSurvivors } from "../../lib/strategies/index.js";
import type { ToyStep } from "../support/toy-tree.js";
import { chain, right, solve, wrong } from "./problems.js";

const separator = "Try again:\n";
const answer = (name: string, score: number, probability = 1): ToyStep => ({
  text: `A: ${name}\n`,
  score,
  probability,
});
const three = [answer("1", 0.9), answer("2", 0.5), answer("3", 0.1)];

describe("reviseSurvivors", () => {
  it("puts the best solution of each of the best answers in view, and pools what comes of it", async () => {
    const search = bestOfN({ n: 24 });
    const strategy = reviseSurvivors({ search, revise: 2, separator });
    const { tree, candidates } = await solve(strategy, three, { revised: () => [right(1)] });
    expect(strategy.generations).toBe(26);
    expect(tree.wholeContexts.slice(24)).toEqual(["A: 1\nTry again:\n", "A: 2\nTry again:\n"]);
    expect(candidates).toHaveLength(26);
    expect(candidates.filter(({ answer }) => answer === "right")).toHaveLength(2);
  });

  it("shows the best solution of an answer, not its latest", async () => {
    const same: ToyStep[] = [0.2, 0.8, 0.5].map((score) => ({ text: `${score}\nA: 1\n`, score }));
    const { tree } = await solve(reviseSurvivors({ search: bestOfN({ n: 24 }), revise: 3, separator }), same);
    expect(tree.wholeContexts.slice(24)).toEqual(["0.8\nA: 1\nTry again:\n"]);
  });

  it("finds what the search alone does not", async () => {
    const search = bestOfN({ n: 4 });
    const revised = () => [right(0.95)];
    expect((await solve(search, [wrong(0.6)])).candidates[0]!.answer).toBe("wrong");
    const { candidates } = await solve(reviseSurvivors({ search, revise: 1, separator }), [wrong(0.6)], { revised });
    expect(candidates[0]).toMatchObject({ answer: "right", weight: 0.95 });
  });

  it("ranks as the search ranks, by the search's own aggregation", async () => {
    const steps: ToyStep[] = [{ text: "so\n", score: 0.2, then: [right(0.9)] }];
    const search = beamSearch({ n: 4, beamWidth: 2, aggregation: "min" });
    const { candidates } = await solve(reviseSurvivors({ search, revise: 2, separator }), steps);
    expect(candidates.map(({ score }) => score)).toEqual([0.2, 0.2, 0.2, 0.2, 0.2]); // four agree: one is revised
  });

  it("asks nothing of a verifier where the search did not", async () => {
    const strategy = reviseSurvivors({ search: majorityVote({ n: 6 }), revise: 3, separator });
    const { tree, candidates } = await solve(strategy, three);
    expect(tree.stepsScored).toBe(0);
    expect(tree.calls.some(({ call }) => call === "score")).toBe(false);
    expect(candidates.every(({ score }) => score === null)).toBe(true);
  });

  it("revises nothing that was cut off, and nothing after the budget is spent", async () => {
    const search = bestOfN({ n: 4 });
    const strategy = reviseSurvivors({ search, revise: 4, separator });
    const cut = await solve(strategy, chain(5), { maxLength: 3 });
    expect(cut.tree.calls.some(({ call }) => call === "condition")).toBe(false);
    expect(cut.candidates).toHaveLength(4);
    const spent = await solve(strategy, chain(2), { tokenBudget: 8 });
    expect(spent.tree.calls.some(({ call }) => call === "condition")).toBe(false);
    expect(spent.candidates).toHaveLength(4);
  });

  it("samples the revisions at their own temperature", async () => {
    const strategy = reviseSurvivors({
      search: bestOfN({ n: 2, temperature: 1 }),
      revise: 1,
      temperature: 0,
      separator,
    });
    const { tree } = await solve(strategy, chain(1));
    const temperatures = tree.calls.filter((call) => call.call === "extend").map(({ options }) => options.temperature);
    expect(temperatures).toEqual([1, 0]);
  });
});
