/**
 * What a scheduler needs of an engine: models, and trees on them.
 *
 * Owns: the contract. Must not know: where the models are.
 */
import type { EngineStats, LoadedModels } from "./addon.js";
import type { Tree, TreeOptions } from "./tree.js";

export interface Core extends AsyncDisposable {
  readonly models: LoadedModels;
  /** @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED, ENGINE_CLOSED; of a remote engine INVALID_OPTION, REMOTE_FAILED */
  openTree(options: TreeOptions, account?: number): Promise<Tree>;
  /**
   * For trees that spend one budget of tokens and flops together: that of the first which is opened with it. It lasts while
   * one of them is open.
   */
  newAccount(): number;
  /** Where the engine's time has gone, and what it holds now. */
  stats(): EngineStats;
  /** Ends everything; open operations fail with ENGINE_CLOSED. May be called again. */
  close(): Promise<void>;
}
