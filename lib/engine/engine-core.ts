/**
 * The handle of a loaded engine: models in memory, and trees on them.
 *
 * Owns: loading, opening trees, closing.
 * Must not know: questions, strategies, budgets of generations.
 */
import type { EngineStats, LoadedModels } from "./addon.js";
import { Channel } from "./channel.js";
import { Judge } from "./judge.js";
import type { JudgeRules } from "./judge-rules.js";
import { judgeOf, modelFiles, resolveOptions, type EngineOptions, type ModelFiles } from "./options.js";
import { Tree, type TreeOptions } from "./tree.js";

export class EngineCore implements AsyncDisposable {
  /** @throws {ThinkTreeError} INVALID_OPTION, MODEL_LOAD_FAILED, UNSUPPORTED_MODEL */
  static async load(options: EngineOptions = {}): Promise<EngineCore> {
    const resolved = resolveOptions(options);
    const [channel, models] = await Channel.open(resolved);
    const { generator, verifier } = models;
    const { engine } = resolved;
    const asked = { ...generator, recipe: { ...generator.recipe, ...engine.generator.recipe } };
    const read = verifier && { ...verifier, recipe: { ...verifier.recipe, ...engine.verifier?.recipe } };
    return new EngineCore(
      channel,
      { ...models, generator: asked, ...(read && { verifier: read }) },
      modelFiles(resolved),
      judgeOf(resolved),
    );
  }

  private constructor(
    private readonly channel: Channel,
    readonly models: LoadedModels,
    readonly files: ModelFiles,
    private readonly rules: JudgeRules | undefined,
  ) {}

  /** @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED, ENGINE_CLOSED */
  openTree(options: TreeOptions, account?: number): Promise<Tree> {
    const { channel, rules } = this;
    const judge = rules && ((search: number) => Judge.open(channel, search, options, rules));
    return Tree.open(channel, options, { account, judge });
  }

  /**
   * For trees that spend one budget of tokens and flops together: that of the first which is opened with it. It lasts while
   * one of them is open.
   */
  newAccount(): number {
    return this.channel.allocateIds(1);
  }

  /** Where the engine's time has gone, and what it holds now. */
  stats(): EngineStats {
    return this.channel.stats();
  }

  /** Ends everything; open operations fail with ENGINE_CLOSED. May be called again. */
  close(): Promise<void> {
    return this.channel.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
