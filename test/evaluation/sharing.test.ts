/** What fewer samples would have cost: against every subset counted by hand. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { sharingOf, tokensAlone, tokensOf, unshared } from "../../lib/evaluation/sharing.js";

const step = (text: string, tokens = text.length) => ({ text, tokens, logProbability: 0, score: null });
const solution = (...texts: string[]) => ({ steps: texts.map((text) => step(text)) });
const spent = (generatedTokens: number) => ({ generatedTokens });

/** The different beginnings of these texts: as many tokens as are written if a letter is a token. */
const written = (texts: readonly string[]) =>
  new Set(texts.flatMap((text) => Array.from(text, (_, i) => text.slice(0, i + 1)))).size;

function subsets<T>(all: readonly T[], k: number): T[][] {
  if (k === 0) return [[]];
  return all.flatMap((one, i) => subsets(all.slice(i + 1), k - 1).map((rest) => [one, ...rest]));
}

describe("sharing", () => {
  it("counts what exactly so many samples have in common", () => {
    const samples = [solution("ab", "c"), solution("ab", "d"), solution("abc")];
    expect(sharingOf(samples, 3, spent(4))).toEqual([1, 1, 2]); // d; the c of two, whatever their steps; ab of all
  });

  it("spreads a step's tokens evenly, and gives the rest to those that did not end", () => {
    const sharing = sharingOf([{ steps: [step("abcd", 2)] }, { steps: [step("abxx", 2)] }], 3, spent(10));
    expect(sharing).toEqual([2 + 7, 1, 0]);
  });

  it("is the mean over all subsets", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (texts) => {
        const n = texts.length;
        const sharing = sharingOf(
          texts.map((one) => solution(one)),
          n,
          spent(written(texts)),
        );
        for (let k = 0; k <= n; k++) {
          const sizes = subsets(texts, k).map(written);
          expect(tokensOf(sharing, k)).toBeCloseTo(sizes.reduce((a, b) => a + b) / sizes.length, 9);
          expect(tokensAlone(sharing, k)).toBeCloseTo((k / n) * texts.join("").length, 9);
        }
      }),
    );
  });

  it("of unknown texts is none", () => {
    expect(tokensOf(unshared([3, 5, 4]), 2)).toBeCloseTo(8, 12);
    expect(tokensAlone(unshared([3, 5, 4]), 3)).toBe(12);
  });
});
