/**
 * The handles of one search in the native engine: a tree and its branches.
 *
 * Owns: what JavaScript knows of the tree (texts and scores of steps), cancellation, release.
 * Must not know: questions, strategies, tokens' ids, KV cells.
 */
import { setMaxListeners } from "node:events";

import { ThinkTreeError } from "../errors.js";
import type { Ledger, NativeCompletion } from "./addon.js";
import type { Channel } from "./channel.js";
import { NOBODY, OWN_ACCOUNT } from "./codec.js";
import type { Branch, ExtendOptions } from "./search-tree.js";
import {
  assertHeld,
  assertWritable,
  cancelled,
  forEachBranch,
  foreignBranch,
  textsOf,
  TreeBranch,
} from "./tree-branch.js";
import type { StepJudge, Tree, TreeOptions } from "./tree.js";

/** What a search has to do with others. */
interface Relations {
  /** Whose budgets it spends. Default: its own. */
  readonly account?: number | undefined;
  /** The search whose steps it judges. */
  readonly judges?: number | undefined;
  /** Opens a search that judges the steps of this one, whose id is given. */
  readonly judge?: ((search: number) => Promise<StepJudge>) | undefined;
}

export class NativeTree implements Tree {
  readonly root: Branch;
  private ended = false;
  private closing: Promise<Ledger> | undefined;
  private judge: StepJudge | undefined;
  private readonly onAbort = () => void this.close().catch(() => undefined);

  /** @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED, ENGINE_CLOSED */
  static async open(channel: Channel, options: TreeOptions, relations: Relations = {}): Promise<NativeTree> {
    if (options.signal?.aborted) throw cancelled();
    const { account = OWN_ACCOUNT, judges = NOBODY, judge: openJudge } = relations;
    const [search, root] = [channel.allocateIds(1), channel.allocateIds(1)];
    const opening = channel.request((commands, request) =>
      commands.open(request, search, root, account, judges, options),
    );
    const judging = openJudge?.(search); // in the same crossing
    judging?.catch(() => undefined);
    await opening;
    const tree = new NativeTree(channel, search, root, options);
    try {
      tree.judge = await judging;
    } catch (error) {
      await tree.close();
      throw error;
    }
    // The signal may have fired while the engine answered.
    if (options.signal?.aborted) {
      await tree.close();
      throw cancelled();
    }
    return tree;
  }

  private constructor(
    private readonly channel: Channel,
    private readonly search: number,
    root: number,
    private readonly options: TreeOptions,
  ) {
    this.root = new TreeBranch(root, []);
    if (options.signal === undefined) return;
    setMaxListeners(0, options.signal); // one signal may end any number of searches
    options.signal.addEventListener("abort", this.onAbort, { once: true });
  }

  get exhausted(): boolean {
    return this.ended || this.judge?.exhausted === true;
  }

  fork(branch: Branch, n: number): Branch[] {
    const parent = this.own(branch);
    const first = this.channel.allocateIds(n);
    this.channel.send((commands) => commands.fork(parent.id, first, n));
    return Array.from({ length: n }, (_, i) => {
      const child = new TreeBranch(first + i, [...parent.steps]);
      child.finishReason = parent.finishReason;
      return child;
    });
  }

  condition(branch: Branch, text: string | readonly string[]): Branch {
    const parent = this.own(branch);
    const id = this.channel.allocateIds(1);
    const texts = typeof text === "string" ? [text] : text;
    this.channel.send((commands) => commands.condition(parent.id, id, texts));
    return new TreeBranch(id, []);
  }

  write(branch: Branch, text: string, { last = false }: { readonly last?: boolean } = {}): void {
    const at = this.own(branch);
    assertWritable(at, text);
    this.channel.send((commands) => commands.write(at.id, text, last));
    if (last) at.finishReason = "end";
    at.steps.push({ text, tokens: 0, logProbability: 0, score: null });
  }

  async extend(
    branches: readonly Branch[],
    { steps = 1, temperature, score = false, ahead = 0 }: ExtendOptions = {},
  ): Promise<void> {
    const sampler = temperature === undefined ? this.options.sampler : { ...this.options.sampler, temperature };
    await forEachBranch(
      branches,
      (branch) => this.own(branch),
      async (branch) => {
        if (branch.finished) return;
        const { reason, steps: written } = await this.channel.request((commands, request) =>
          commands.extend(request, branch.id, steps, score && this.judge === undefined, sampler, ahead),
        );
        branch.finishReason = reason;
        branch.steps.push(...written.map((step) => ({ ...step, score: null })));
        if (reason === "budget" || reason === "deadline") this.ended = true;
        if (score) this.judge?.scores(textsOf(branch)).catch(() => undefined); // `score` waits, and tells what is wrong
      },
    );
  }

  async score(branches: readonly Branch[]): Promise<void> {
    await forEachBranch(
      branches,
      (branch) => this.own(branch),
      async (branch) => {
        if (branch.steps.every((step) => step.score !== null)) return;
        const scores = await (this.judge === undefined ? this.scoresOf(branch) : this.judged(branch, this.judge));
        branch.steps.forEach((step, i) => (step.score ??= scores[i] ?? null));
      },
    );
  }

  private async scoresOf(branch: TreeBranch): Promise<(number | null)[]> {
    const { scores } = await this.channel.request((commands, request) => commands.score(request, branch.id));
    return scores.map((score) => (Number.isNaN(score) ? null : score));
  }

  private async judged(branch: TreeBranch, judge: StepJudge): Promise<(number | null)[]> {
    try {
      return await judge.scores(textsOf(branch));
    } catch (error) {
      if (this.closing !== undefined) throw cancelled(); // and not whatever it met then
      throw error;
    }
  }

  async pair(branch: Branch, positive: string, negative: string): Promise<number | null> {
    const { id } = this.own(branch);
    const { scores } = await this.channel.request((commands, request) =>
      commands.pair(request, id, positive, negative),
    );
    const [share = NaN] = scores;
    if (!Number.isNaN(share)) return share;
    this.ended = true;
    return null;
  }

  release(branches: readonly Branch[]): void {
    for (const branch of branches as readonly TreeBranch[]) {
      if (branch.released) continue;
      branch.released = true;
      this.channel.send((commands) => commands.release(branch.id));
    }
  }

  async hiddenState(): Promise<Float32Array> {
    if (this.closing !== undefined) throw cancelled();
    const { hidden } = await this.channel.request((commands, request) => commands.hidden(request, this.search));
    if (hidden === undefined) throw new ThinkTreeError("INTERNAL", "the engine answered without a hidden state");
    return hidden;
  }

  async ledger(): Promise<Ledger> {
    return ledgerOf(await this.channel.request((commands, request) => commands.ledger(request, this.search)));
  }

  stop(): void {
    this.ended = true;
    this.channel.send((commands) => commands.stop(this.search));
  }

  close(): Promise<Ledger> {
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.closing ??= this.channel.request((commands, request) => commands.close(request, this.search)).then(ledgerOf);
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private own(branch: Branch): TreeBranch {
    if (this.closing !== undefined) throw cancelled();
    if (!(branch instanceof TreeBranch)) throw foreignBranch();
    assertHeld(branch);
    return branch;
  }
}

function ledgerOf(completion: NativeCompletion): Ledger {
  if (completion.ledger === undefined) throw new ThinkTreeError("INTERNAL", "the engine answered without a ledger");
  return completion.ledger;
}
