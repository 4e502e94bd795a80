/**
 * Who gets the next generations of a budget that many questions spend together.
 *
 * Owns: the two ways to share out what is left: evenly, and where the expected gain is largest.
 * Must not know: searches, engines. Shares are plans by what things cost so far; the engine holds the caps.
 *
 * Source: Damani et al. 2024 (arXiv 2410.04707): greedily, where the expected gain is largest. There the gain of one more
 * sample is lambda (1 - lambda)^(j - 1); here it is read off the policy's own curves, and their formula serves where a
 * policy has measured nothing.
 */
import { sum, type Purse } from "./budget.js";
import { binsOf, expectedAccuracy, type Policy } from "./policy.js";
import type { Decision } from "./solve-options.js";

export interface Contender {
  /** What it has cost. */
  readonly generations: number;
  /** What it may have cost by now. */
  readonly cap: number;
  readonly decision: Decision;
  /** More would be of no use, or is not to be had. */
  readonly over: boolean;
}

/** New caps of the contenders, none of them lower. A purse's prices are in the contenders' order. */
export type Share = (all: readonly Contender[], purses: readonly Purse[], policy: Policy) => number[];

/** As many more to each as all purses pay for, up to the policy's probes. */
export const evenly: Share = (all, purses, { probes }) => {
  const more = Math.max(0, Math.min(...purses.map(({ left, prices }) => Math.floor(left / priceOf(all, prices)))));
  return all.map(({ generations, cap, over }) => (over ? cap : Math.max(cap, Math.min(probes, generations + more))));
};

/** Level by level, to whoever gains most for what it takes of the scarcest purse. */
export const greedily: Share = (all, purses, policy) => {
  const [scarcest] = [...purses].sort((a, b) => a.left / priceOf(all, a.prices) - b.left / priceOf(all, b.prices));
  const left = purses.map((purse) => purse.left);
  const caps = all.map(({ cap }) => cap);
  const paid = all.map(({ generations }) => generations); // what is below the cap may yet be spent
  const gains = all.map((one) => (one.over ? null : gainOf(one, policy, one.cap)));
  for (;;) {
    let best = { i: -1, cap: 0, rate: 0 };
    for (const [i, gain] of gains.entries()) {
      if (gain === null) continue;
      const affordable = Math.min(...purses.map(({ prices }, unit) => Math.floor(left[unit]! / prices[i]!)));
      const cap = Math.min(gain.cap, paid[i]! + affordable);
      const rate = gain.each / scarcest!.prices[i]!;
      if (cap > caps[i]! && rate > best.rate) best = { i, cap, rate };
    }
    const { i, cap } = best;
    if (i < 0) return caps;
    for (const [unit, { prices }] of purses.entries()) left[unit]! -= (cap - paid[i]!) * prices[i]!;
    caps[i] = paid[i] = cap;
    gains[i] = gainOf(all[i]!, policy, cap);
  }
};

/** Of one more generation for everyone who goes on. */
function priceOf(all: readonly Contender[], prices: readonly number[]): number {
  return sum(prices.filter((_, i) => !all[i]!.over));
}

interface Gain {
  /** Of accuracy, a generation. */
  readonly each: number;
  /** What it leads to. */
  readonly cap: number;
}

/**
 * The best rate at which a question's chance of being right can still grow: along the upper hull of its bin's curve, or of
 * all questions' where its difficulty is unknown. A single sample agrees with itself.
 */
function gainOf({ decision, generations }: Contender, policy: Policy, from: number): Gain | null {
  const { estimate, difficulty, bin: index } = decision;
  const unknown = difficulty === null || index === null || (estimate === "agreement" && generations === 1);
  const bin = unknown ? policy.overall : binsOf(policy, estimate)[index]!;
  const right = unknown ? 0.5 : 1 - difficulty;
  const expected = (n: number) => expectedAccuracy(bin, n) ?? 1 - (1 - right) ** n;
  const gains = bin.entries
    .filter(({ budget }) => budget > from)
    .map(({ budget }) => ({ each: (expected(budget) - expected(from)) / (budget - from), cap: budget }));
  return gains.reduce<Gain | null>((best, gain) => (best === null || gain.each > best.each ? gain : best), null);
}
