import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TreeRecording } from "../../lib/report/recording.js";
import { recordTree } from "../../lib/report/tree-recorder.js";
import { beamSearch, dvts, lookaheadSearch, weightedBestOfN } from "../../lib/strategies/index.js";
import { revisions } from "../../lib/strategies/revisions.js";
import { answerOf, anyStrategy, anyToy, chain, needle, right, wrong } from "../strategies/problems.js";
import { ToyTree } from "../support/toy-tree.js";
import { watch } from "./samples.js";

/** The texts on the way to a step. */
function pathTo({ steps }: TreeRecording, id: number | null): string[] {
  return id === null ? [] : [...pathTo({ steps } as TreeRecording, steps[id]!.parent), steps[id]!.text];
}

function callsOf({ calls }: ToyTree): string[] {
  return calls.map((call) => JSON.stringify(call)).sort();
}

describe("recordTree", () => {
  it("changes nothing, and misses nothing", async () => {
    const budget = fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(anyStrategy, anyToy(), fc.nat(999), budget, async (strategy, steps, seed, tokenBudget) => {
        const options = { seed, delaySeed: seed, ...(tokenBudget ? { tokenBudget } : {}) };
        const { tree, solutions, candidates, recording } = await watch(strategy, steps, options);
        if (tokenBudget === undefined) {
          const alone = new ToyTree(steps, options);
          expect(candidates).toEqual(strategy.rank(await strategy.explore(alone, { answerOf })));
          // Searches side by side take turns in another order, for watching takes a moment; so they share a budget otherwise.
          expect(callsOf(tree)).toEqual(callsOf(alone));
        }

        const written = recording.steps.filter(({ given }) => !given);
        expect(written.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(tree.tokens);
        expect(written).toHaveLength(tree.stepsWritten);
        expect(JSON.parse(JSON.stringify(recording))).toEqual(recording);
        const fruitful = new Set<number | null>();
        for (const { id, solution } of recording.steps) {
          for (let at: number | null = solution ? id : null; at !== null; at = recording.steps[at]!.parent)
            fruitful.add(at);
        }
        recording.steps.forEach(({ id, parent, round, pruned }, i) => {
          expect(id).toBe(i);
          if (parent !== null) expect(round).toBeGreaterThanOrEqual(recording.steps[parent]!.round);
          if (parent !== null) expect(parent).toBeLessThan(id);
          expect(round).toBeGreaterThan(0);
          expect(pruned === null).toBe(fruitful.has(id));
          if (pruned !== null) expect(pruned).toBeGreaterThanOrEqual(round);
          if (pruned !== null) expect(pruned).toBeLessThanOrEqual(recording.rounds);
        });
        const answersOf = (found: readonly { answer: string | null }[]) => found.map(({ answer }) => answer).sort();
        const marked = answersOf(recording.steps.flatMap(({ solution }) => solution ?? []));
        const found = answersOf(solutions.filter((solution) => solution.steps.length > 0));
        // At a budget's end, several branches may stand on one step.
        if (tokenBudget === undefined) expect(marked).toEqual(found);
        expect(new Set(marked)).toEqual(new Set(found));
        if (candidates[0]!.steps.length > 0) {
          expect(pathTo(recording, recording.chosen).join("").endsWith(candidates[0]!.text)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("tells the rounds of a beam search: written, scored, kept, pruned", async () => {
    const steps = [
      { text: "good\n", score: 0.9, then: [right(0.8)] },
      { text: "bad\n", score: 0.1, then: [wrong(0.2)] },
    ];
    const { recording } = await watch(beamSearch({ n: 4, beamWidth: 2 }), steps, { seed: 3 });
    expect(recording.rounds).toBe(2);
    const first = recording.steps.filter(({ round }) => round === 1);
    expect(first).toHaveLength(4);
    for (const { text, score } of first) expect(score).toBe(text === "good\n" ? 0.9 : 0.1);
    const kept = first.filter(({ pruned }) => pruned === null);
    expect(kept).toHaveLength(2);
    expect(first.filter(({ pruned }) => pruned === 1)).toHaveLength(2);
    const best = Math.min(...kept.map(({ score }) => score!));
    for (const { pruned, score } of first) if (pruned) expect(score).toBeLessThanOrEqual(best);
    const second = recording.steps.filter(({ round }) => round === 2);
    expect(second.map(({ solution }) => solution?.whole)).toEqual([true, true, true, true]);
    expect(recording.steps[recording.chosen!]!.solution!.answer).toBe("right");
  });

  it("counts whole samples as one round", async () => {
    const { recording } = await watch(weightedBestOfN({ n: 3 }), chain(4));
    expect(recording.rounds).toBe(1);
    expect(recording.steps).toHaveLength(12);
  });

  it("puts a lookahead's rollouts into the round that they decide", async () => {
    const { recording } = await watch(lookaheadSearch({ n: 4, beamWidth: 2, lookahead: 2 }), needle(4));
    const first = recording.steps.filter(({ round }) => round === 1);
    expect(first.filter(({ parent }) => parent === null)).toHaveLength(4);
    expect(first).toHaveLength(12); // four candidates, each with a rollout of two steps
    expect(recording.rounds).toBe(5);
  });

  it("counts the rounds of each parallel subtree by itself", async () => {
    const { recording } = await watch(dvts({ n: 6, beamWidth: 2 }), chain(5), { delaySeed: 9 });
    for (const { id, round } of recording.steps) expect(pathTo(recording, id)).toHaveLength(round);
  });

  it("follows revisions from attempt to attempt, out of the window too", async () => {
    const revised = (context: string) => [{ text: `A: ${context.split("A:").length}\n`, score: 0.5 }];
    const strategy = revisions({ chains: 1, length: 7 });
    const { recording } = await watch(strategy, [wrong(0.1)], { revised });
    const given = recording.steps.filter((step) => step.given);
    expect(given).toHaveLength(6);
    expect(recording.rounds).toBe(7);
    for (const { id, round, text, parent } of given) {
      expect(text).toBe(given[0]!.text); // what is quoted is a link, not a text
      expect(recording.steps[parent!]!.round).toBe(round - 1);
      expect(recording.steps.find((step) => step.parent === id)!.round).toBe(round);
    }
  });

  it("begins anew with each search, and tells nothing of one that failed", async () => {
    const { strategy, recording } = recordTree(beamSearch({ n: 4, beamWidth: 2 }));
    const context = { answerOf };
    strategy.rank(await strategy.explore(new ToyTree(chain(3)), context));
    expect([recording.steps.length, recording.rounds]).toEqual([12, 3]);
    await strategy.explore(new ToyTree(chain(2)), context);
    expect([recording.steps.length, recording.rounds, recording.chosen]).toEqual([8, 2, null]);
    const failing = new ToyTree(chain(2), { failOn: { call: "extend", n: 2 } });
    await expect(strategy.explore(failing, context)).rejects.toMatchObject({ code: "DECODE_FAILED" });
    expect(failing.live).toBe(0);
    expect(recording.steps).toEqual([]);
  });

  it("passes rounds on, and names no solution it has not seen", async () => {
    const rounds: number[] = [];
    const { strategy, recording } = recordTree(beamSearch({ n: 4, beamWidth: 2 }));
    await strategy.explore(new ToyTree(chain(3)), { answerOf, onRound: ({ round }) => rounds.push(round) });
    expect(rounds).toEqual([1, 2, 3]);
    const step = { text: "elsewhere", tokens: 1, logProbability: 0, score: 1 };
    strategy.rank([{ text: "elsewhere", steps: [step], answer: "x", score: 1, finished: true, finishReason: "end" }]);
    expect(recording.chosen).toBeNull();
  });
});
