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
import { NOBODY, OWN_ACCOUNT, type OpenCommand, type SamplerOptions } from "./codec.js";
import type { Branch, ExtendOptions, FinishReason, SearchTree, Step } from "./search-tree.js";

/** Steps are shared by the branches that go through them, so that a score reaches all. */
type SharedStep = { -readonly [Key in keyof Step]: Step[Key] };

class TreeBranch implements Branch {
  finishReason: FinishReason | null = null;
  released = false;

  constructor(
    readonly id: number,
    readonly steps: SharedStep[],
  ) {}

  get text(): string {
    return this.steps.map((step) => step.text).join("");
  }

  get finished(): boolean {
    return this.finishReason === "end";
  }
}

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

/** What a search has to do with others. */
interface Relations {
  /** Whose budgets it spends. Default: its own. */
  readonly account?: number | undefined;
  /** The search whose steps it judges. */
  readonly judges?: number | undefined;
  /** Opens a search that judges the steps of this one, whose id is given. */
  readonly judge?: ((search: number) => Promise<StepJudge>) | undefined;
}

export class Tree implements SearchTree, AsyncDisposable {
  readonly root: Branch;
  private ended = false;
  private closing: Promise<Ledger> | undefined;
  private judge: StepJudge | undefined;
  private readonly onAbort = () => void this.close().catch(() => undefined);

  /** @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED, ENGINE_CLOSED */
  static async open(channel: Channel, options: TreeOptions, relations: Relations = {}): Promise<Tree> {
    if (options.signal?.aborted) throw cancelled();
    const { account = OWN_ACCOUNT, judges = NOBODY, judge: openJudge } = relations;
    const [search, root] = [channel.allocateIds(1), channel.allocateIds(1)];
    const opening = channel.request((commands, request) =>
      commands.open(request, search, root, account, judges, options),
    );
    const judging = openJudge?.(search); // in the same crossing
    judging?.catch(() => undefined);
    await opening;
    const tree = new Tree(channel, search, root, options);
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

  /** Of several texts, the second, fourth, ... are words: special tokens are recognised in the others alone. */
  condition(branch: Branch, text: string | readonly string[]): Branch {
    const parent = this.own(branch);
    const id = this.channel.allocateIds(1);
    const texts = typeof text === "string" ? [text] : text;
    this.channel.send((commands) => commands.condition(parent.id, id, texts));
    return new TreeBranch(id, []);
  }

  /**
   * The branch's next step is `text`, given and not sampled: to score solutions that others have written, or to go on from
   * them. A step ends with its delimiter, unless it is the last. The branch must not be finished, nor be extended meanwhile.
   * `last`: the solution ends with it, and so the branch is finished.
   * @throws {ThinkTreeError} INVALID_OPTION: the text is blank, or the branch is finished
   */
  write(branch: Branch, text: string, { last = false }: { readonly last?: boolean } = {}): void {
    const at = this.own(branch);
    if (text.trim() === "") throw new ThinkTreeError("INVALID_OPTION", "a step's text is empty");
    if (at.finished)
      throw new ThinkTreeError("INVALID_OPTION", "the solution is whole: fork the branch before its end");
    this.channel.send((commands) => commands.write(at.id, text, last));
    if (last) at.finishReason = "end";
    at.steps.push({ text, tokens: 0, logProbability: 0, score: null });
  }

  async extend(
    branches: readonly Branch[],
    { steps = 1, temperature, score = false, ahead = 0 }: ExtendOptions = {},
  ): Promise<void> {
    const sampler = temperature === undefined ? this.options.sampler : { ...this.options.sampler, temperature };
    await this.forEach(branches, async (branch) => {
      if (branch.finished) return;
      const { reason, steps: written } = await this.channel.request((commands, request) =>
        commands.extend(request, branch.id, steps, score && this.judge === undefined, sampler, ahead),
      );
      branch.finishReason = reason;
      branch.steps.push(...written.map((step) => ({ ...step, score: null })));
      if (reason === "budget" || reason === "deadline") this.ended = true;
      if (score) this.judge?.scores(textsOf(branch)).catch(() => undefined); // `score` waits, and tells what is wrong
    });
  }

  async score(branches: readonly Branch[]): Promise<void> {
    await this.forEach(branches, async (branch) => {
      if (branch.steps.every((step) => step.score !== null)) return;
      const scores = await (this.judge === undefined ? this.scoresOf(branch) : this.judged(branch, this.judge));
      branch.steps.forEach((step, i) => (step.score ??= scores[i] ?? null));
    });
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

  /**
   * The probability that the text of `branch` goes on with the token `positive`, if it does with that or `negative`, in
   * [0, 1], by the generator; null if a deadline or a budget came before it. The branch must not be extended meanwhile.
   * @throws {ThinkTreeError} INVALID_OPTION: no single tokens; CONTEXT_EXCEEDED: no room for what the branch has
   */
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

  /**
   * The generator's final hidden state, after its output norm, at the prompt's last token: `ModelInfo.width` floats.
   * Prefills the prompt if nothing has yet, once for the search as well; else it costs one token.
   * @throws {ThinkTreeError} EXHAUSTED if the deadline or flopsBudget leaves no room for it; CANCELLED, DECODE_FAILED
   */
  async hiddenState(): Promise<Float32Array> {
    if (this.closing !== undefined) throw cancelled();
    const { hidden } = await this.channel.request((commands, request) => commands.hidden(request, this.search));
    if (hidden === undefined) throw new ThinkTreeError("INTERNAL", "the engine answered without a hidden state");
    return hidden;
  }

  /** What the search has cost so far. */
  async ledger(): Promise<Ledger> {
    return ledgerOf(await this.channel.request((commands, request) => commands.ledger(request, this.search)));
  }

  /** Ends the search as its deadline would: what is under way completes with what it has. */
  stop(): void {
    this.ended = true;
    this.channel.send((commands) => commands.stop(this.search));
  }

  /** Gives everything up at once; what is under way fails with CANCELLED. Returns what the search has cost. */
  close(): Promise<Ledger> {
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.closing ??= this.channel.request((commands, request) => commands.close(request, this.search)).then(ledgerOf);
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Every branch completes by itself; one that fails does not leave others running unseen. */
  private async forEach(branches: readonly Branch[], act: (branch: TreeBranch) => Promise<void>): Promise<void> {
    const outcomes = await Promise.allSettled(branches.map(async (branch) => act(this.own(branch))));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  private own(branch: Branch): TreeBranch {
    if (this.closing !== undefined) throw cancelled();
    if (!(branch instanceof TreeBranch))
      throw new ThinkTreeError("INVALID_OPTION", "the branch belongs to another kind of tree");
    if (branch.released) throw new ThinkTreeError("BRANCH_RELEASED", "the branch was released: fork before releasing");
    return branch;
  }
}

function ledgerOf(completion: NativeCompletion): Ledger {
  if (completion.ledger === undefined) throw new ThinkTreeError("INTERNAL", "the engine answered without a ledger");
  return completion.ledger;
}

function textsOf(branch: Branch): string[] {
  return branch.steps.map(({ text }) => text);
}

function cancelled(): ThinkTreeError {
  return new ThinkTreeError("CANCELLED", "the search was cancelled");
}
