/**
 * What a scheduler does with one search's tree, whatever grows it: the native engine, or a remote server.
 *
 * Owns: the words of a search's life besides those of SearchTree: writing, cost, ends.
 * Must not know: who implements it.
 */
import type { Ledger } from "./addon.js";
import type { OpenCommand, SamplerOptions } from "./codec.js";
import type { Branch, SearchTree } from "./search-tree.js";

export interface TreeOptions extends OpenCommand {
  readonly sampler: SamplerOptions;
  /** Closes the tree when it fires: whatever is under way fails with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** Scores steps in the place of a verifier that reads them. */
export interface StepJudge {
  /** True once a budget or a deadline has kept it from a verdict. */
  readonly exhausted: boolean;
  /** Of a solution's steps, one each, in [0, 1]; null: it has come to none. */
  scores(steps: readonly string[]): Promise<(number | null)[]>;
}

export interface Tree extends SearchTree, AsyncDisposable {
  /** Of several texts, the second, fourth, ... are words: special tokens are recognised in the others alone. */
  condition(branch: Branch, text: string | readonly string[]): Branch;
  /**
   * The branch's next step is `text`, given and not sampled: to score solutions that others have written, or to go on from
   * them. A step ends with its delimiter, unless it is the last. The branch must not be finished, nor be extended meanwhile.
   * `last`: the solution ends with it, and so the branch is finished.
   * @throws {ThinkTreeError} INVALID_OPTION: the text is blank, or the branch is finished
   */
  write(branch: Branch, text: string, options?: { readonly last?: boolean }): void;
  /**
   * The probability that the text of `branch` goes on with the token `positive`, if it does with that or `negative`, in
   * [0, 1], by the generator; null if a deadline or a budget came before it. The branch must not be extended meanwhile.
   * @throws {ThinkTreeError} INVALID_OPTION: no single tokens; CONTEXT_EXCEEDED: no room for what the branch has
   */
  pair(branch: Branch, positive: string, negative: string): Promise<number | null>;
  /**
   * The generator's final hidden state, after its output norm, at the prompt's last token: `ModelInfo.width` floats.
   * Prefills the prompt if nothing has yet, once for the search as well; else it costs one token.
   * @throws {ThinkTreeError} EXHAUSTED if the deadline or flopsBudget leaves no room for it; CANCELLED, DECODE_FAILED;
   * INVALID_OPTION: a remote engine has none
   */
  hiddenState(): Promise<Float32Array>;
  /** What the search has cost so far. */
  ledger(): Promise<Ledger>;
  /** Ends the search as its deadline would: what is under way completes with what it has. */
  stop(): void;
  /** Gives everything up at once; what is under way fails with CANCELLED. Returns what the search has cost. */
  close(): Promise<Ledger>;
}
