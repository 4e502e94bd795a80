/**
 * The handle of a loaded engine: models in memory, and trees on them.
 *
 * Owns: loading, opening trees, closing.
 * Must not know: questions, strategies, budgets of generations.
 */
import type { EngineStats, LoadedModels } from "./addon.js";
import { Channel } from "./channel.js";
import type { Core } from "./core.js";
import { Judge } from "./judge.js";
import type { JudgeRules } from "./judge-rules.js";
import { judgeOf, modelFiles, resolveOptions, type EngineOptions, type ModelFiles } from "./options.js";
import { NativeTree } from "./native-tree.js";
import type { TreeOptions } from "./tree.js";

export class EngineCore implements Core {
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

  openTree(options: TreeOptions, account?: number): Promise<NativeTree> {
    const { channel, rules } = this;
    const judge = rules && ((search: number) => Judge.open(channel, search, options, rules));
    return NativeTree.open(channel, options, { account, judge });
  }

  newAccount(): number {
    return this.channel.allocateIds(1);
  }

  stats(): EngineStats {
    return this.channel.stats();
  }

  close(): Promise<void> {
    return this.channel.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
