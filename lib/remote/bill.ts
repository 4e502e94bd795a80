/**
 * What a search costs on servers.
 *
 * Owns: the sums, and the budget of tokens that several searches may have together.
 * Must not know: who spends.
 */
import type { Ledger } from "../engine/addon.js";
import { noCost } from "../engine/no-figures.js";
import type { PromptUse } from "./completions.js";

export class Account {
  private generated = 0;

  constructor(private readonly tokenBudget: number | undefined) {}

  get left(): number {
    return this.tokenBudget === undefined ? Infinity : this.tokenBudget - this.generated;
  }

  spend(tokens: number): void {
    this.generated += tokens;
  }
}

/** One model's part. Tokens. */
class ModelBill {
  prompt = 0;
  /** Decoded once, and of use. */
  decoded = 0;
  again = 0;

  /** The model has read a text with so many tokens that it has not seen before. */
  read({ computed }: PromptUse, fresh: number): void {
    if (computed !== null) this.again += Math.max(0, computed - fresh);
  }
}

/** Parameters of the models, 0 where no server tells them. */
export interface Sizes {
  readonly generator: number;
  readonly verifier: number;
}

export class Bill {
  readonly generator = new ModelBill();
  readonly verifier = new ModelBill();
  private vain = 0;
  private readonly begun = performance.now();

  constructor(
    readonly account: Account,
    private readonly sizes: Sizes,
    private readonly total: Totals,
  ) {}

  write(tokens: number): void {
    this.account.spend(tokens);
    this.generator.decoded += tokens;
    this.total.generated += tokens;
  }

  /** Drawn, and no part of a text. */
  drop(tokens: number): void {
    this.vain += tokens;
    this.total.generated += tokens;
  }

  score(tokens: number): void {
    this.verifier.decoded += tokens;
    this.total.verified += tokens;
  }

  ledger(): Ledger {
    const { generator, verifier, vain, sizes } = this;
    const decodedBy = ({ prompt, decoded, again }: ModelBill) => prompt + decoded + again;
    return {
      ...noCost,
      promptTokens: generator.prompt,
      generatedTokens: generator.decoded,
      verifierPromptTokens: verifier.prompt,
      verifierTokens: verifier.decoded,
      recomputedTokens: generator.again + verifier.again,
      speculatedTokens: vain,
      milliseconds: performance.now() - this.begun,
      flops: 2 * (sizes.generator * (decodedBy(generator) + vain) + sizes.verifier * decodedBy(verifier)),
    };
  }
}

/** Of all searches. */
export interface Totals {
  generated: number;
  verified: number;
}
