import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareScores,
  rankByChains,
  rankByScore,
  rankByVotes,
  rankByWeightedScore,
} from "../../lib/verifiers/selection.js";
import type { Solution } from "../../lib/verifiers/solution.js";

const solution = (answer: string | null, score: number | null, text = ""): Solution => ({
  text,
  steps: [],
  answer,
  score,
  finished: true,
  finishReason: "end",
});

const inChain = (chain: number | undefined, ...rest: Parameters<typeof solution>): Solution => ({
  ...solution(...rest),
  ...(chain !== undefined && { chain }),
});

const rankings = [rankByVotes, rankByScore, rankByWeightedScore, rankByChains];
const answers = (solutions: readonly Solution[]) => solutions.map(({ answer }) => answer);
const texts = (solutions: readonly Solution[]) => solutions.map(({ text }) => text);

const anySolutions = fc
  .array(
    fc.tuple(
      fc.constantFrom("1", "2", "3", null),
      fc.constantFrom(0, 0.25, 0.5, 1, null),
      fc.constantFrom(undefined, 0, 1, 2),
    ),
    { maxLength: 12 },
  )
  .map((all) => all.map(([answer, score, chain], i) => inChain(chain, answer, score, String(i))));

describe("the three rankings differ", () => {
  // 1: most votes. 2: best single score. 3: largest sum.
  const solutions = [
    ...Array.from({ length: 5 }, () => solution("1", 0.1)),
    solution("2", 0.95),
    ...Array.from({ length: 3 }, () => solution("3", 0.6)),
  ];

  it("by votes", () => {
    expect(rankByVotes(solutions)[0]).toMatchObject({ answer: "1", weight: 5 });
  });
  it("by score", () => {
    expect(rankByScore(solutions)[0]).toMatchObject({ answer: "2", weight: 0.95 });
  });
  it("by summed score", () => {
    expect(rankByWeightedScore(solutions)[0]).toMatchObject({ answer: "3", weight: expect.closeTo(1.8) as number });
  });
});

describe("rankByWeightedScore", () => {
  it("takes the best-scored solution inside the largest group", () => {
    const ranked = rankByWeightedScore([solution("1", 0.4, "a"), solution("2", 0.6, "b"), solution("1", 0.5, "c")]);
    expect(texts(ranked)).toEqual(["c", "a", "b"]);
  });

  it("falls back on votes when a deadline left nothing scored", () => {
    const ranked = rankByWeightedScore([solution("1", null), solution("2", null), solution("2", null)]);
    expect(ranked[0]).toMatchObject({ answer: "2", weight: 0 });
  });
});

describe("rankByChains", () => {
  // The first chain repeats itself; both others disagree with it.
  const repeated = [
    ...Array.from({ length: 4 }, () => inChain(0, "1", 0.6)),
    inChain(1, "2", 0.5),
    inChain(1, "2", 0.4),
    inChain(2, "2", 0.3),
  ];

  it("gives a chain one voice, where a flat pool is won by repetition", () => {
    expect(rankByWeightedScore(repeated)[0]).toMatchObject({ answer: "1", weight: expect.closeTo(2.4) as number });
    expect(rankByVotes(repeated)[0]).toMatchObject({ answer: "1", weight: 4 });
    expect(rankByChains(repeated)[0]).toMatchObject({ answer: "2", score: 0.5, weight: 0.8 });
  });

  it("has the best-scored solution of the chain's winning answer stand for it, not the best-scored of all", () => {
    const one = [inChain(0, "1", 0.9), inChain(0, "2", 0.5), inChain(0, "2", 0.6)];
    expect(rankByChains(one).map(({ answer, score, weight }) => [answer, score, weight])).toEqual([
      ["2", 0.6, 0.6],
      ["2", 0.5, 0.6],
      ["1", 0.9, 0],
    ]);
  });

  it("takes solutions without a chain for chains of one", () => {
    const pooled = [...repeated, solution("1", 0.25)];
    expect(rankByChains(pooled)[0]).toMatchObject({ answer: "1", weight: 0.85 });
    fc.assert(
      fc.property(anySolutions, (solutions) => {
        const alone = solutions.map((each) => inChain(undefined, each.answer, each.score, each.text));
        expect(rankByChains(alone)).toEqual(rankByWeightedScore(alone));
      }),
    );
  });

  it("is best-of-N weighted twice over", () => {
    fc.assert(
      fc.property(anySolutions, (solutions) => {
        const members = (chain: number) => solutions.filter((each) => each.chain === chain);
        const chains = [
          ...[0, 1, 2].map(members),
          ...solutions.filter((each) => each.chain === undefined).map((each) => [each]),
        ];
        const winners = chains.flatMap((chain) => rankByWeightedScore(chain).slice(0, 1));
        const weights = new Map(rankByWeightedScore(winners).map(({ answer, weight }) => [answer, weight]));
        for (const { answer, weight } of rankByChains(solutions)) {
          expect(weight).toBeCloseTo(weights.get(answer) ?? 0);
        }
      }),
    );
  });
});

describe("ties", () => {
  it("go to the higher best score", () => {
    expect(answers(rankByVotes([solution("1", 0.2), solution("2", 0.3)]))).toEqual(["2", "1"]);
    expect(rankByWeightedScore([solution("1", 0.25), solution("1", 0.25), solution("2", 0.5)])[0]!.answer).toBe("2");
  });

  it("then to who was seen first", () => {
    const equal = [solution("2", 0.5, "a"), solution("1", 0.5, "b"), solution("2", 0.5, "c"), solution("1", 0.5, "d")];
    expect(texts(rankByVotes(equal))).toEqual(["a", "c", "b", "d"]);
    expect(texts(rankByWeightedScore(equal))).toEqual(["a", "c", "b", "d"]);
    expect(texts(rankByScore(equal))).toEqual(["a", "b", "c", "d"]);
  });
});

describe("every ranking", () => {
  it("puts unknown scores last and weighs them 0", () => {
    expect(texts(rankByScore([solution("1", null, "a"), solution("1", 0, "b"), solution("2", 0.1, "c")]))).toEqual([
      "c",
      "b",
      "a",
    ]);
    expect(rankByScore([solution("1", null)])[0]!.weight).toBe(0);
  });

  it("puts solutions without an answer behind all others: they agree on nothing", () => {
    const solutions = [solution(null, 0.9), solution(null, 0.95), solution("1", 0.1)];
    for (const rank of rankings) {
      expect(rank(solutions).map(({ score }) => score)).toEqual([0.1, 0.95, 0.9]);
      expect(rank(solutions)[1]!.weight).toBe(0);
    }
  });

  it("returns each solution once, weights falling, and leaves its input alone", () => {
    fc.assert(
      fc.property(fc.constantFrom(...rankings), anySolutions, (rank, solutions) => {
        const before = structuredClone(solutions);
        const ranked = rank(solutions);
        expect(texts(ranked).sort()).toEqual(texts(solutions).sort());
        for (let i = 1; i < ranked.length; i++) expect(ranked[i]!.weight).toBeLessThanOrEqual(ranked[i - 1]!.weight);
        expect(solutions).toEqual(before);
      }),
    );
  });

  it("ranks the same whatever stands in a text", () => {
    fc.assert(
      fc.property(fc.constantFrom(...rankings), anySolutions, (rank, solutions) => {
        const blank = solutions.map((each) => ({ ...each, text: "" }));
        expect(answers(rank(blank))).toEqual(answers(rank(solutions)));
      }),
    );
  });

  it("gives an answer more weight with every solution for it", () => {
    fc.assert(
      fc.property(anySolutions, (solutions) => {
        const weight = (all: readonly Solution[]) =>
          rankByWeightedScore(all).find(({ answer }) => answer === "1")?.weight ?? 0;
        expect(weight([...solutions, solution("1", 0.5)])).toBeCloseTo(weight(solutions) + 0.5);
      }),
    );
  });
});

describe("compareScores", () => {
  it("sorts best first, unknown last", () => {
    expect([null, 0.2, 0, null, 1].sort(compareScores)).toEqual([1, 0.2, 0, null, null]);
  });
});
