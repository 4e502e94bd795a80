import { describe, expect, it } from "vitest";
import { beamSearch, bestOfN, dvts, weightedBestOfN, type Strategy } from "../../lib/strategies/index.js";
import { compareScores } from "../../lib/verifiers/selection.js";
import type { ToyStep, ToyTree } from "../support/toy-tree.js";
import { chain, needle, right, solve, solved, wrong } from "./problems.js";

const forks = (tree: ToyTree) => tree.calls.filter((call) => call.call === "fork");
const widths = (tree: ToyTree) => tree.calls.filter((call) => call.call === "extend").map(({ texts }) => texts.length);

/** Many first steps, each with its own score, so that it is plain which were kept. */
const scoreOfStep = (text: string) => Number(/^s(\d+)/.exec(text)![1]) / 1000;
const manySteps: ToyStep[] = Array.from({ length: 1000 }, (_, i) => ({
  text: `s${i}\n`,
  score: i / 1000,
  then: chain(3),
}));

describe("beamSearch", () => {
  it("finds a path that best-of-N misses at the same n", async () => {
    // Worked out exactly (a Markov chain over the right ones among the four kept): 0.870, against 0.012 for any of 16.
    const seeds = 200;
    expect((await solved(beamSearch({ n: 16, beamWidth: 4 }), needle(), seeds)) / seeds).toBeCloseTo(0.87, 1);
    expect((await solved(bestOfN({ n: 16 }), needle(), seeds)) / seeds).toBeLessThan(0.05);
    expect((await solved(weightedBestOfN({ n: 16 }), needle(), seeds)) / seeds).toBeLessThan(0.05);
  });

  it("keeps the best n / beamWidth and continues each beamWidth times, not the transpose", async () => {
    const { tree } = await solve(beamSearch({ n: 12, beamWidth: 3 }), manySteps);
    const [first, ...later] = forks(tree);
    expect(first).toMatchObject({ text: "", n: 12 });
    expect(later.every(({ n }) => n === 3)).toBe(true);
    expect(widths(tree)).toEqual([12, 12, 12, 12]);

    const sampled = tree.calls.find((call) => call.call === "score")!.texts.map(scoreOfStep);
    const best = sampled.sort((a, b) => b - a).slice(0, 4);
    expect(later.slice(0, 4).map(({ text }) => scoreOfStep(text))).toEqual(best);
  });

  it("asks for pipelined scores and its own temperature", async () => {
    const { tree } = await solve(beamSearch({ n: 2, beamWidth: 2, temperature: 0.8 }), chain(2));
    const extend = { call: "extend", options: { score: true, temperature: 0.8 } };
    expect(tree.calls.filter(({ call }) => call === "extend")).toMatchObject([extend, extend]);
  });

  it("works ahead if it is told to, but in its last round", async () => {
    const ahead = async (strategy: Strategy) =>
      (await solve(strategy, chain(3))).tree.calls.flatMap((call) =>
        call.call === "extend" ? call.options.ahead : [],
      );
    const options = { n: 4, beamWidth: 2 };
    expect(await ahead(beamSearch(options))).toEqual([0, 0, 0]);
    expect(await ahead(beamSearch({ ...options, workAhead: true }))).toEqual([2, 2, 2]);
    expect(await ahead(beamSearch({ ...options, workAhead: true, maxRounds: 2 }))).toEqual([2, 0]);
    expect(await ahead(dvts({ n: 2, beamWidth: 2, workAhead: true }))).toEqual([2, 2, 2]);
  });

  describe("whole solutions", () => {
    const early = (score: number): ToyStep[] => [
      { ...right(score), probability: 1 },
      { text: "on\n", probability: 3, score: 0.5, then: () => early(score) },
    ];

    it("hold a place among the survivors while they score well, and are never multiplied", async () => {
      const { tree, candidates } = await solve(beamSearch({ n: 16, beamWidth: 4, maxRounds: 10 }), early(0.9));
      expect(forks(tree).some(({ finished }) => finished)).toBe(false);
      expect(candidates).toHaveLength(tree.wholeTexts.length);
      expect(Math.min(...widths(tree))).toBeLessThan(16); // the places they hold are not refilled
      expect(widths(tree).length).toBeLessThan(10); // four of them hold every place: the search is over
    });

    it("lose their places to better branches, and stay candidates", async () => {
      const { tree, candidates } = await solve(beamSearch({ n: 16, beamWidth: 4, maxRounds: 3 }), early(0.2));
      expect(widths(tree)).toEqual([16, 16, 16]);
      expect(tree.wholeTexts.length).toBeGreaterThan(3);
      expect(candidates.map(({ text }) => text).sort()).toEqual([...tree.wholeTexts].sort());
    });

    it("compete in later rounds with the score they ended with", async () => {
      // Ends at once with 0.6, or goes on: 0.7 first, then a step that is worse than the whole solution.
      const steps = [
        right(0.6),
        { text: "on\n", score: 0.7, then: [{ text: "worse\n", score: 0.5, then: [wrong(0.9)] }] },
      ];
      for (let seed = 1; seed <= 20; seed++) {
        // Four places; in round one branches that go on take them first, in round two whole solutions win them back.
        const { tree } = await solve(beamSearch({ n: 8, beamWidth: 2 }), steps, { seed });
        const [first, second, third] = widths(tree);
        const whole = tree.wholeTexts.filter((text) => text === "A: right\n").length;
        const goingOn = Math.min(4, 8 - whole);
        expect([first, second]).toEqual([8, ...(goingOn > 0 ? [2 * goingOn] : [])]);
        expect(third ?? 0).toBe(goingOn > 0 ? 2 * Math.min(2 * goingOn, goingOn) : 0);
      }
    });

    it("go to best-of-N weighted", async () => {
      const steps = [
        { ...right(0.6), probability: 7 },
        { ...wrong(0.95), probability: 3 },
      ];
      expect(await solved(beamSearch({ n: 16, beamWidth: 4 }), steps)).toBeGreaterThan(30);
    });
  });

  describe("a length stop", () => {
    it("is not an end: a lower-scored whole solution is the answer", async () => {
      const steps = [
        right(0.3),
        { text: "long\n", score: 0.9, then: [{ text: "longer\n", score: 0.9, tokens: 5, then: [wrong(0.9)] }] },
      ];
      const { candidates } = await solve(beamSearch({ n: 8, beamWidth: 4 }), steps, { maxLength: 4 });
      expect(candidates.every(({ finished, answer }) => finished && answer === "right")).toBe(true);
    });

    it("takes no place and is not extended again", async () => {
      const steps = [
        { text: "stuck", score: 1, tokens: 9, then: chain(3) },
        { text: "on\n", score: 0.1, then: chain(3) },
      ];
      const { tree, candidates } = await solve(beamSearch({ n: 8, beamWidth: 4 }), steps, { maxLength: 8 });
      expect(tree.idleExtends).toBe(0);
      expect(forks(tree).some(({ text }) => text.startsWith("stuck"))).toBe(false);
      expect(candidates[0]).toMatchObject({ finished: true, answer: "right" });
    });

    it("of every branch ends the search with the partial solutions, best first", async () => {
      const { candidates } = await solve(beamSearch({ n: 8, beamWidth: 2 }), needle(), { maxLength: 3 });
      expect(candidates.length).toBeGreaterThan(0);
      expect(candidates.every(({ finished, finishReason }) => !finished && finishReason === "length")).toBe(true);
      const scores = candidates.map(({ score }) => score);
      expect(scores).toEqual([...scores].sort(compareScores));
      expect(candidates[0]).toMatchObject({ answer: null, weight: 0 });
    });
  });

  it("ends after maxRounds with what there is", async () => {
    const { tree, candidates, rounds } = await solve(beamSearch({ n: 4, beamWidth: 2, maxRounds: 3 }), chain(9));
    expect(rounds.map(({ round, live }) => [round, live])).toEqual([
      [1, 4],
      [2, 4],
      [3, 0],
    ]);
    expect(tree.stepsWritten).toBe(12);
    expect(candidates).toHaveLength(4);
    expect(candidates[0]).toMatchObject({ finished: false, finishReason: "step", text: "on\non\non\n" });
  });

  it("ranks branches by the aggregation asked for", async () => {
    const steps: ToyStep[] = [
      { text: "a\n", probability: 1, score: 0.5, then: [{ text: "-\n", score: 0.6, then: chain(2) }] },
      { text: "b\n", probability: 3, score: 0.4, then: [{ text: "-\n", score: 0.9, then: chain(2) }] },
    ];
    const survivorsOfRoundTwo = async (seed: number, aggregation: "last" | "min") => {
      const { tree } = await solve(beamSearch({ n: 4, beamWidth: 2, aggregation }), steps, { seed });
      const parents = forks(tree).map(({ text }) => text);
      return parents.includes("a\n") && parents.includes("b\n") ? parents.slice(3, 5) : null; // both met in round two
    };
    const seeds = Array.from({ length: 20 }, (_, i) => i);
    const survivors = async (aggregation: "last" | "min") =>
      new Set((await Promise.all(seeds.map((seed) => survivorsOfRoundTwo(seed, aggregation)))).filter(Boolean).flat());
    expect(await survivors("last")).toEqual(new Set(["b\n-\n"]));
    expect(await survivors("min")).toEqual(new Set(["a\n-\n"]));
  });

  it("releases what it prunes before it extends again", async () => {
    const { tree } = await solve(beamSearch({ n: 12, beamWidth: 3 }), needle());
    expect(tree.peakLive).toBeLessThanOrEqual(24); // a round's branches and their children, for no longer than a fork takes
    const releases = tree.calls.filter((call) => call.call === "release");
    expect(releases.slice(0, 3).map(({ texts }) => texts.length)).toEqual([12, 12, 12]);
  });
});
