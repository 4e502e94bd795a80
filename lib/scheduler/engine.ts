/**
 * The public handle: an engine that answers questions.
 *
 * Owns: nothing but the joining of the engine's handles with `solve`.
 * Must not know: how either works.
 */
import type { EngineStats, LoadedModels } from "../engine/addon.js";
import { EngineCore } from "../engine/engine-core.js";
import type { EngineOptions } from "../engine/options.js";
import type { Tree, TreeOptions } from "../engine/tree.js";
import { solve, type Answer, type SolveOptions } from "./solve.js";

export class Engine implements AsyncDisposable {
  /**
   * Loads the models; without options the embedded ones.
   * @throws {ThinkTreeError} INVALID_OPTION, MODEL_LOAD_FAILED, UNSUPPORTED_MODEL
   */
  static async load(options: EngineOptions = {}): Promise<Engine> {
    return new Engine(await EngineCore.load(options));
  }

  private constructor(private readonly core: EngineCore) {}

  get models(): LoadedModels {
    return this.core.models;
  }

  /**
   * Searches for the answer. Many calls may be under way at once; they share the engine's batches.
   * @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, INVALID_OPTION, NO_VERIFIER, CANCELLED, ENGINE_CLOSED, DECODE_FAILED
   */
  solve(question: string, options?: SolveOptions): Promise<Answer> {
    return solve(this.core, question, options);
  }

  /** A tree to search by hand: see SearchTree. Close it when done. */
  openTree(options: TreeOptions): Promise<Tree> {
    return this.core.openTree(options);
  }

  /** Where the engine's time has gone, and what it holds now. */
  stats(): EngineStats {
    return this.core.stats();
  }

  /** Ends everything; open calls fail with ENGINE_CLOSED. Resolves when all memory is freed. May be called again. */
  close(): Promise<void> {
    return this.core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
