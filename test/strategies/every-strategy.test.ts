/** What holds for every strategy, on any tree. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ThinkTreeError } from "../../lib/errors.js";
import { compareScores } from "../../lib/verifiers/selection.js";
import { ToyTree, type ToyStep } from "../support/toy-tree.js";
import { answerOf, anyStrategy, anyToy, everyStrategy, maxDepth, scoring, solve } from "./problems.js";

const seed = fc.nat();
const endless = (): readonly ToyStep[] => [
  { text: "on\n", score: 0.6, then: endless },
  { text: "off\n", score: 0.4, then: endless },
];

describe("every strategy", () => {
  it("returns every whole solution it wrote, once, and holds nothing", async () => {
    await fc.assert(
      fc.asyncProperty(anyStrategy, anyToy(), seed, async (strategy, steps, seed) => {
        const { tree, candidates } = await solve(strategy, steps, { seed });
        expect(tree.live).toBe(0);
        expect(candidates.every(({ finished }) => finished)).toBe(true);
        // A lookahead's rollouts may be whole as well; their text does not count.
        if (strategy.name === "lookahead") expect(candidates.length).toBeLessThanOrEqual(tree.wholeTexts.length);
        else expect(candidates.map(({ text }) => text).sort()).toEqual([...tree.wholeTexts].sort());
      }),
    );
  });

  it("never spends more than its generations", async () => {
    await fc.assert(
      fc.asyncProperty(anyStrategy, anyToy(), seed, async (strategy, steps, seed) => {
        const { tree } = await solve(strategy, steps, { seed });
        expect(tree.stepsWritten).toBeLessThanOrEqual(strategy.generations * maxDepth);
      }),
    );
  });

  it("gives the same candidates whatever the order of completion", async () => {
    await fc.assert(
      fc.asyncProperty(anyStrategy, anyToy(), seed, fc.nat(), async (strategy, steps, seed, delaySeed) => {
        const options = { seed, noise: 0.2 };
        const inOrder = await solve(strategy, steps, options);
        const outOfOrder = await solve(strategy, steps, { ...options, delaySeed });
        expect(outOfOrder.candidates).toEqual(inOrder.candidates);
      }),
    );
  });

  it("gives other candidates for other seeds", async () => {
    for (const strategy of everyStrategy) {
      const texts = new Set<string>();
      for (let seed = 1; seed <= 8; seed++) {
        const { candidates } = await solve(strategy, endless, { seed, maxLength: 6, noise: 0.3 });
        texts.add(candidates.map(({ text }) => text).join("|"));
      }
      expect(texts.size, strategy.name).toBeGreaterThan(4);
    }
  });

  it("ends with what there is when the tokens are spent", async () => {
    const budget = fc.integer({ min: 0, max: 60 });
    await fc.assert(
      fc.asyncProperty(
        anyStrategy,
        fc.oneof(anyToy(), fc.constant(endless)),
        seed,
        budget,
        fc.nat(),
        async (strategy, steps, seed, tokenBudget, delaySeed) => {
          const { tree, candidates } = await solve(strategy, steps, { seed, tokenBudget, delaySeed });
          expect(tree.tokens).toBeLessThanOrEqual(tokenBudget);
          expect(tree.idleExtends).toBeLessThanOrEqual(strategy.generations);
          expect(tree.live).toBe(0);
          expect(candidates.length).toBeGreaterThan(0);
          expect(new Set(candidates.map(({ finished }) => finished)).size).toBe(1);
          expect(candidates[0]!.finished).toBe(
            strategy.name === "lookahead" ? candidates[0]!.finished : tree.wholeTexts.length > 0,
          );
        },
      ),
    );
  });

  it("ends with what there is when the deadline passes, scored or not", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyStrategy,
        fc.oneof(anyToy(), fc.constant(endless)),
        seed,
        fc.nat(60),
        async (strategy, steps, seed, deadline) => {
          const { tree, candidates } = await solve(strategy, steps, { seed, deadline });
          expect(tree.live).toBe(0);
          expect(tree.idleExtends).toBeLessThanOrEqual(2 * strategy.generations);
          expect(candidates.length).toBeGreaterThan(0);
          expect(candidates.every(({ weight }) => Number.isFinite(weight))).toBe(true);
          const sameAnswer = candidates.filter(({ answer }) => answer === candidates[0]!.answer);
          expect(sameAnswer.map(({ score }) => score)).toEqual(
            sameAnswer.map(({ score }) => score).sort(compareScores),
          );
        },
      ),
    );
  });

  it("offers the best partial solution when a deadline cuts every one short", async () => {
    for (const strategy of scoring) {
      const { candidates } = await solve(strategy, endless, { deadline: 57 });
      const scores = candidates.map(({ score }) => score);
      expect(candidates[0], strategy.name).toMatchObject({ finished: false, answer: null, weight: 0 });
      expect(scores[0], strategy.name).toBe([...scores].sort(compareScores)[0]);
      expect(scores[0], strategy.name).not.toBeNull();
    }
  });

  it("holds nothing when a call fails, and throws what the tree threw", async () => {
    const failOn = fc.record({
      call: fc.constantFrom("extend" as const, "score" as const),
      n: fc.integer({ min: 1, max: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(
        anyStrategy,
        anyToy(),
        seed,
        failOn,
        fc.nat(),
        async (strategy, steps, seed, failOn, delaySeed) => {
          const tree = new ToyTree(steps, { seed, failOn, delaySeed });
          const error = await strategy.explore(tree, { answerOf }).then(
            () => null,
            (error: unknown) => error,
          );
          const calls = tree.calls.filter(({ call }) => call === failOn.call).length;
          expect(ThinkTreeError.isInstance(error) ? error.code : error).toBe(
            calls >= failOn.n ? "DECODE_FAILED" : null,
          );
          expect(tree.live).toBe(0);
          const written = tree.stepsWritten;
          await new Promise(setImmediate);
          expect(tree.stepsWritten).toBe(written);
        },
      ),
    );
  });

  it("holds nothing when the caller's callback throws", async () => {
    for (const strategy of everyStrategy) {
      const tree = new ToyTree(endless, { maxLength: 4 });
      const onRound = () => {
        throw new Error("the terminal is gone");
      };
      await expect(strategy.explore(tree, { answerOf, onRound })).rejects.toThrow("the terminal is gone");
      expect(tree.live).toBe(0);
    }
  });

  it("searches afresh each time it is used, and shows plain JSON", async () => {
    for (const strategy of everyStrategy) {
      const first = await solve(strategy, endless, { maxLength: 4 });
      const second = await solve(strategy, endless, { maxLength: 4 });
      expect(second.candidates).toEqual(first.candidates);
      expect(JSON.parse(JSON.stringify(strategy.options))).toEqual(strategy.options);
    }
  });

  it("reports rounds that count up, with what is whole so far", async () => {
    await fc.assert(
      fc.asyncProperty(anyStrategy, anyToy(), seed, async (strategy, steps, seed) => {
        const { rounds, candidates } = await solve(strategy, steps, { seed });
        expect(rounds.at(-1)).toMatchObject({ live: 0, finished: candidates.length });
        for (const [i, { round, finished }] of rounds.entries()) {
          expect(round).toBeGreaterThanOrEqual(rounds[i - 1]?.round ?? 1);
          expect(finished).toBeGreaterThanOrEqual(rounds[i - 1]?.finished ?? 0);
        }
      }),
    );
  });
});
