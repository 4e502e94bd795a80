/**
 * One extension of a branch: the steps that a server writes for it.
 *
 * Owns: what is asked, what ends the text, what is kept of a request that failed. Must not know: other branches, scores.
 */
import { createHash } from "node:crypto";

import type { SamplerOptions } from "../engine/codec.js";
import type { FinishReason } from "../engine/search-tree.js";
import type { SharedStep } from "../engine/tree-branch.js";
import type { TreeOptions } from "../engine/tree.js";
import { ThinkTreeError } from "../errors.js";
import type { Bill } from "./bill.js";
import type { Completions, PromptUse } from "./completions.js";
import { tokensOf, type RemoteBranch } from "./remote-branch.js";
import { StepCutter } from "./step-cutter.js";

/** What all branches of a tree have in common. */
export interface Ground {
  readonly options: TreeOptions;
  readonly generator: Completions;
  /** Tokens that the generator's context holds. */
  readonly positions: number;
  readonly prompt: string;
  readonly bill: Bill;
}

export interface Order {
  readonly steps: number;
  readonly sampler: SamplerOptions;
  /** Told each step as soon as it ends, with all those of this extension before it. */
  readonly onStep: (written: readonly SharedStep[]) => void;
}

/** Servers take what they wrote apart again, and may come to other tokens. */
const spareTokens = 16;

export class Writing {
  readonly written: SharedStep[] = [];
  private readonly cutter: StepCutter;

  constructor(
    private readonly ground: Ground,
    private readonly branch: RemoteBranch,
    private readonly order: Order,
  ) {
    this.cutter = new StepCutter(ground.options);
  }

  /**
   * Until the steps are written, or no more can be; again after each failure that may pass.
   * @throws {ThinkTreeError} REMOTE_FAILED; CONTEXT_EXCEEDED: the question itself does not fit; AbortError
   */
  async run(signal: AbortSignal): Promise<FinishReason> {
    try {
      return await this.ground.generator.endpoint.retrying(signal, (progressed) => this.attempt(signal, progressed));
    } catch (error) {
      const grown = this.branch.whole !== "" || this.written.length > 0;
      if (grown && ThinkTreeError.isInstance(error) && error.code === "CONTEXT_EXCEEDED") return "length";
      throw error;
    }
  }

  /** The steps, the last of which may have been cut off. */
  finish(): readonly SharedStep[] {
    if (!this.cutter.empty) this.endStep();
    return this.written;
  }

  /** Goes on from the last whole step. */
  private async attempt(signal: AbortSignal, progressed: () => void): Promise<FinishReason> {
    const { cutter, order } = this;
    const { generator, bill, options } = this.ground;
    const { account } = bill;
    cutter.cut(); // of an attempt that has failed
    let left = order.steps - this.written.length;
    const endStep = () => {
      this.endStep();
      progressed();
      left -= 1;
    };
    if (account.left < 1) return "budget";
    const maxTokens = Math.min(account.left, this.room());
    if (maxTokens < 1) return "length";

    const onPrompt = (use: PromptUse) => bill.generator.read(use, 1); // its last token is decoded for what comes next
    const asked = { maxTokens, seed: this.seed(), sampler: order.sampler, onPrompt };
    for await (const piece of generator.write(this.text(), asked, signal)) {
      if (account.left < piece.tokens) {
        bill.drop(piece.tokens);
        return "budget";
      }
      if ("end" in piece) {
        bill.write(piece.tokens);
        if (!cutter.empty) cutter.count(piece.tokens);
        if (piece.end === "stop") return "end";
        return account.left < 1 ? "budget" : "length";
      }
      if (left > 0 && cutter.endsBefore(piece)) endStep();
      if (left === 0) {
        bill.drop(piece.tokens); // drawn to see whether anything follows
        return "step";
      }
      bill.write(piece.tokens);
      const cut = cutter.take(piece);
      if (cut === "last") return "end";
      if (cut === "step") endStep();
      // With a prefix that marks the last step, this one is known not to be it.
      if (left === 0 && options.finalPrefix !== "") return "step";
      if (account.left < 1) return "budget";
    }
    throw new ThinkTreeError("INTERNAL", "a completion has no end");
  }

  private endStep(): void {
    this.written.push(this.cutter.cut());
    this.order.onStep(this.written);
  }

  private text(): string {
    return this.ground.prompt + this.branch.whole + this.written.map(({ text }) => text).join("");
  }

  /** Tokens that the solution may yet have. */
  private room(): number {
    const { options, positions, bill } = this.ground;
    const own = this.branch.tokens + tokensOf(this.written);
    const before = bill.generator.prompt + this.branch.given;
    return Math.min((options.maxLength ?? Infinity) - own, positions - before - own - spareTokens);
  }

  /** Of the search, the path of forks and the place: 31 bits, which every server takes. */
  private seed(): number {
    const { branch, written } = this;
    const place = `${this.ground.options.seed}:${branch.path}:${branch.steps.length + written.length}`;
    return createHash("sha256").update(place).digest().readUInt32BE() >>> 1;
  }
}
