/**
 * How much of their text independent samples have in common, and so what fewer of them would have cost.
 *
 * Owns: counting, from one run, the tokens that any number of its samples would have written.
 * Must not know: how samples were drawn, what they say.
 *
 * Samples drawn side by side write what they have in common once (Ledger.coalescedTokens): k of n cost more than k/n of
 * what n cost.
 */
import type { Ledger } from "../engine/addon.js";
import type { Solution } from "../verifiers/solution.js";

/** At index m - 1: the tokens that exactly m of the samples have in common, each counted once. */
export type Sharing = readonly number[];

/**
 * Of `n` samples, `solutions` are those that came to an end; what the ledger has beyond them was written by the others,
 * each for itself. The tokens of a step are taken to be equally long.
 */
export function sharingOf(
  solutions: readonly Pick<Solution, "steps">[],
  n: number,
  ledger: Pick<Ledger, "generatedTokens">,
): Sharing {
  const sharing = new Array<number>(n).fill(0);
  let alike: Letter[][][] = [solutions.map(lettersOf)];
  for (let at = 0; alike.length > 0; at++) {
    alike = alike.flatMap((letters) => partedAt(letters, at));
    for (const group of alike) sharing[group.length - 1]! += group[0]![at]!.tokens;
  }
  const others = ledger.generatedTokens - sharing.reduce((sum, tokens) => sum + tokens, 0);
  sharing[0]! += Math.max(0, others);
  return sharing;
}

/**
 * The tokens that k of the samples, drawn side by side, write on average: a token that m of n have in common is written
 * unless none of the m is among the k. `k` from 0 to n.
 */
export function tokensOf(sharing: Sharing, k: number): number {
  const n = sharing.length;
  let none = 1; // C(n - m, k) / C(n, k)
  return sharing.reduce((sum, tokens, i) => {
    none *= Math.max(0, n - k - i) / (n - i);
    return sum + tokens * (1 - none);
  }, 0);
}

/** The tokens that k samples write if each writes for itself. */
export function tokensAlone(sharing: Sharing, k: number): number {
  return (k / sharing.length) * sharing.reduce((sum, tokens, i) => sum + tokens * (i + 1), 0);
}

/** The sharing of samples of which nothing but their tokens is known: each has written for itself. */
export function unshared(tokens: readonly number[]): Sharing {
  return tokens.map((_, i) => (i === 0 ? tokens.reduce((sum, own) => sum + own, 0) : 0));
}

interface Letter {
  readonly letter: string;
  /** Its part of the step's tokens. */
  readonly tokens: number;
}

function lettersOf({ steps }: Pick<Solution, "steps">): Letter[] {
  return steps.flatMap(({ text, tokens }) =>
    text.split("").map((letter) => ({ letter, tokens: tokens / text.length })),
  );
}

/** Those that go on, by how they do. */
function partedAt(group: readonly Letter[][], at: number): Letter[][][] {
  const ways = new Map<string, Letter[][]>();
  for (const letters of group) {
    const next = letters[at]?.letter;
    if (next === undefined) continue;
    const way = ways.get(next);
    if (way) way.push(letters);
    else ways.set(next, [letters]);
  }
  return [...ways.values()];
}
