/**
 * What answering costs, in every unit.
 *
 * Owns: means over questions; the share of a run that fewer samples would have cost.
 * Must not know: where the figures come from.
 */
import type { Ledger, LoadedModels } from "../engine/addon.js";
import { mean } from "./statistics.js";

/** Of one question, on average. Counts are those of Ledger. */
export interface Cost {
  readonly generations: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
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
    verifierPromptTokens: of("verifierPromptTokens"),
    verifierTokens: of("verifierTokens"),
    flops: of("flops"),
    milliseconds: of("milliseconds"),
  };
}

/** What a share of a run's samples cost: prompts are paid in full, a vote asks no verifier. Milliseconds are in proportion. */
export function costOfShare(cost: Cost, share: number, scored: boolean, { generator, verifier }: LoadedModels): Cost {
  const part = {
    promptTokens: cost.promptTokens,
    generatedTokens: cost.generatedTokens * share,
    verifierPromptTokens: scored ? cost.verifierPromptTokens : 0,
    verifierTokens: scored ? cost.verifierTokens * share : 0,
  };
  const generated = generator.parameters * (part.promptTokens + part.generatedTokens);
  const verified = (verifier?.parameters ?? 0) * (part.verifierPromptTokens + part.verifierTokens);
  return {
    ...part,
    generations: cost.generations * share,
    flops: 2 * (generated + verified),
    milliseconds: cost.milliseconds * share,
  };
}
