/**
 * What one answer may cost.
 *
 * Owns: the units of a budget, their ranges, and how many more solutions each cap still pays for.
 * Must not know: strategies, policies.
 */
import { z } from "zod";

import type { Ledger } from "../engine/addon.js";

/** Hard caps on one search; the first that is reached ends it. */
export interface Budget {
  /** Whole solutions' worth of text (Snell et al. 2024: "generations"): chooses the search's size. 1 to 65,536. */
  readonly generations?: number | undefined;
  /** Generated tokens. */
  readonly tokens?: number | undefined;
  /** Floating-point operations of both models, as the ledger counts them: 2 x parameters x decoded tokens. */
  readonly flops?: number | undefined;
  /** From the call on. The best answer so far is returned. */
  readonly milliseconds?: number | undefined;
}

const count = z.number().int().positive();

export const budgetFields = z.strictObject({
  generations: count.max(65_536).optional(),
  tokens: count.optional(),
  flops: z.number().positive().optional(),
  milliseconds: z.number().positive().optional(),
});

/** A number means generations. */
export const budgetSchema = z.union([count.max(65_536).transform((generations) => ({ generations })), budgetFields]);

export const usualGenerations = 16;

/** What is spent so far: the ledger knows all but the generations. */
export interface Spending {
  readonly generations: number;
  readonly ledger: Ledger;
}

/**
 * Solutions that the rest of the budget pays for, if they cost as much as those before: 0 or more. Without a cap on
 * generations the others decide alone; an estimate chooses sizes, the caps themselves are kept by the engine.
 */
export function affordable(budget: Budget, { generations, ledger }: Spending): number {
  const left: number[] = [];
  if (budget.generations !== undefined) left.push(budget.generations - generations);
  const each = (spent: number) => Math.max(spent, Number.MIN_VALUE) / Math.max(1, generations);
  const more = (cap: number | undefined, spent: number) => {
    if (cap !== undefined) left.push(Math.floor(Math.max(0, cap - spent) / each(spent)));
  };
  more(budget.tokens, ledger.generatedTokens);
  more(budget.flops, ledger.flops);
  more(budget.milliseconds, ledger.milliseconds);
  return Math.max(0, Math.min(...left, 65_536));
}

/** One of the caps on many searches together: what is left of it, and what one more solution of each search takes. */
export interface Purse {
  readonly left: number;
  readonly prices: readonly number[];
}

/** `prefill`: operations that the search's prompt has cost, which no further solution pays again. */
type Payer = Spending & { readonly prefill: number };

/** Solutions will cost what those before did, of the same search; in milliseconds, of all, since they share the machine. */
export function pursesOf(budget: Budget, searches: readonly Payer[], elapsed: number): Purse[] {
  const purses: Purse[] = [];
  const add = (cap: number | undefined, spent: readonly number[], once: readonly number[] = []) => {
    if (cap === undefined) return;
    const price = (i: number) => (spent[i]! - (once[i] ?? 0)) / searches[i]!.generations;
    const prices = searches.map((_, i) => Math.max(price(i), Number.MIN_VALUE));
    purses.push({ left: cap - sum(spent), prices });
  };
  const generations = searches.map((search) => search.generations);
  const each = elapsed / sum(generations);
  add(budget.generations, generations);
  add(
    budget.tokens,
    searches.map(({ ledger }) => ledger.generatedTokens),
  );
  add(
    budget.flops,
    searches.map(({ ledger }) => ledger.flops),
    searches.map(({ prefill }) => prefill),
  );
  add(
    budget.milliseconds,
    generations.map((own) => each * own),
  );
  return purses;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
