/**
 * What answering costs, in every unit.
 *
 * Owns: means over questions; what fewer samples of the same run would have cost.
 * Must not know: where the figures come from.
 */
import type { Ledger, LoadedModels } from "../engine/addon.js";
import { tokensAlone, tokensOf, type Sharing } from "./sharing.js";
import { mean } from "./statistics.js";

/** Of one question, on average. Counts are those of Ledger. */
export interface Cost {
  readonly generations: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly coalescedTokens: number;
  readonly verifierPromptTokens: number;
  readonly verifierTokens: number;
  readonly flops: number;
  /** From asked to answered, while other questions were under way too. */
  readonly milliseconds: number;
}

export function meanCost(spent: readonly { readonly generations: number; readonly ledger: Ledger }[]): Cost {
  const of = (unit: keyof Cost & keyof Ledger) => mean(spent.map(({ ledger }) => ledger[unit]));
  return {
    generations: mean(spent.map(({ generations }) => generations)),
    promptTokens: of("promptTokens"),
    generatedTokens: of("generatedTokens"),
    coalescedTokens: of("coalescedTokens"),
    verifierPromptTokens: of("verifierPromptTokens"),
    verifierTokens: of("verifierTokens"),
    flops: of("flops"),
    milliseconds: of("milliseconds"),
  };
}

/**
 * What k of the n samples of a run cost, given how much they have in common, question by question. Prompts are paid in
 * full, a vote asks no verifier, a verifier reads in proportion to what is generated; so do milliseconds.
 */
export function costOfSamples(
  cost: Cost,
  sharings: readonly Sharing[],
  k: number,
  scored: boolean,
  { generator, verifier, reference }: LoadedModels,
): Cost {
  const tokens = (of: (sharing: Sharing, k: number) => number, k: number) => mean(sharings.map((own) => of(own, k)));
  const generatedTokens = tokens(tokensOf, k);
  const n = Math.max(...sharings.map((own) => own.length));
  const share = cost.generatedTokens > 0 ? generatedTokens / tokens(tokensOf, n) : 0;
  const part = {
    promptTokens: cost.promptTokens,
    generatedTokens,
    coalescedTokens: tokens(tokensAlone, k) - generatedTokens,
    verifierPromptTokens: scored ? cost.verifierPromptTokens : 0,
    verifierTokens: scored ? cost.verifierTokens * share : 0,
  };
  const generated = generator.parameters * (part.promptTokens + part.generatedTokens);
  const judges = (verifier?.parameters ?? 0) + (reference?.parameters ?? 0); // both read the same
  const verified = judges * (part.verifierPromptTokens + part.verifierTokens);
  return {
    ...part,
    generations: (cost.generations * k) / n,
    flops: 2 * (generated + verified),
    milliseconds: cost.milliseconds * share,
  };
}
