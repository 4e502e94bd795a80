/**
 * The handles of one search on servers: a tree and its branches.
 *
 * Owns: which branches there are; cancellation, release.
 * Must not know: questions, strategies, connections, what ends a text, how a score is read.
 *
 * A branch is text. Each extension of it is one streamed completion of the prompt and of what the branch has: the server finds
 * both in its cache. What has come to the asked number of steps hangs up.
 */
import { setMaxListeners } from "node:events";

import type { Ledger } from "../engine/addon.js";
import type { SamplerOptions } from "../engine/codec.js";
import type { Branch, ExtendOptions } from "../engine/search-tree.js";
import {
  assertHeld,
  assertWritable,
  cancelled,
  forEachBranch,
  foreignBranch,
  textsOf,
  type SharedStep,
} from "../engine/tree-branch.js";
import type { StepJudge, Tree, TreeOptions } from "../engine/tree.js";
import { ThinkTreeError } from "../errors.js";
import { RemoteBranch } from "./remote-branch.js";
import { TokenPair } from "./token-pair.js";
import type { Work } from "./work.js";
import { Writing, type Ground } from "./writing.js";

export interface RemoteTreeParts extends Ground {
  readonly judge: StepJudge | undefined;
  /** Where a verifier that is here reads the steps: it ends with this one, and is in its ledger. */
  readonly beside: Tree | undefined;
  readonly work: Work;
  readonly onClose: () => void;
}

const longestTimer = 2 ** 31 - 1;

export class RemoteTree implements Tree {
  readonly root: Branch;
  private readonly options: TreeOptions;
  private ended = false;
  private nextId = 1;
  private closed: Promise<Ledger> | undefined;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly onAbort = () => void this.close();

  constructor(private readonly parts: RemoteTreeParts) {
    this.options = parts.options;
    this.root = new RemoteBranch(this.nextId++, [], "", "", 0);
    const { signal, deadlineMs } = parts.options;
    if (deadlineMs !== undefined)
      this.timer = setTimeout(() => this.stop(), Math.min(deadlineMs, longestTimer)).unref();
    if (signal === undefined) return;
    setMaxListeners(0, signal); // one signal may end any number of searches
    signal.addEventListener("abort", this.onAbort, { once: true });
  }

  get exhausted(): boolean {
    return this.ended || this.parts.judge?.exhausted === true;
  }

  fork(branch: Branch, n: number): Branch[] {
    const parent = this.own(branch);
    return Array.from({ length: n }, () => {
      const child = this.child(parent, [...parent.steps], parent.context, parent.given);
      child.finishReason = parent.finishReason;
      return child;
    });
  }

  condition(branch: Branch, text: string | readonly string[]): Branch {
    const parent = this.own(branch);
    if (this.options.verifierSeesContext) {
      const mend = "verify by another one, or choose no strategy that revises";
      throw new ThinkTreeError(
        "INVALID_OPTION",
        `the verifier wants to see earlier attempts, which it cannot here: ${mend}`,
      );
    }
    const words = [text].flat().join("");
    const tokens = parent.tokens + Buffer.byteLength(words);
    return this.child(parent, [], parent.whole + words, parent.given + tokens);
  }

  write(branch: Branch, text: string, { last = false }: { readonly last?: boolean } = {}): void {
    const at = this.own(branch);
    assertWritable(at, text);
    if (last) at.finishReason = "end";
    at.steps.push({ text, tokens: 0, logProbability: 0, score: null });
    at.given += Buffer.byteLength(text);
  }

  async extend(
    branches: readonly Branch[],
    { steps = 1, temperature, score = false }: ExtendOptions = {},
  ): Promise<void> {
    const sampler = temperature === undefined ? this.options.sampler : { ...this.options.sampler, temperature };
    if (!(steps >= 1)) throw new ThinkTreeError("INVALID_OPTION", "steps must be at least 1");
    if (score) {
      this.verifier()
        .scores([]) // it reads the question while the steps are written
        .catch(() => undefined);
    }
    const grow = (branch: RemoteBranch) => this.grow(branch, steps, sampler, score);
    await forEachBranch(branches, (branch) => this.own(branch), grow);
  }

  async score(branches: readonly Branch[]): Promise<void> {
    const verifier = this.verifier();
    const scored = async (branch: RemoteBranch) => {
      if (branch.steps.every((step) => step.score !== null)) return;
      const scores = await verifier.scores(textsOf(branch)).catch((error: unknown) => {
        this.parts.work.assertOpen(); // what ended the search, and not whatever its verifier met then
        throw error;
      });
      branch.steps.forEach((step, i) => (step.score ??= scores[i] ?? null));
    };
    await forEachBranch(branches, (branch) => this.own(branch), scored);
  }

  async pair(branch: Branch, positive: string, negative: string): Promise<number | null> {
    const text = this.parts.prompt + this.own(branch).whole;
    const pair = new TokenPair(this.parts.generator, positive, negative);
    const read = await this.parts.work.run((signal) => pair.read(text, signal));
    return read?.share ?? null;
  }

  release(branches: readonly Branch[]): void {
    for (const branch of branches as readonly RemoteBranch[]) {
      branch.released = true;
      branch.writing?.abort();
    }
  }

  hiddenState(): Promise<Float32Array> {
    const mend = "estimate the difficulty by score or agreement";
    return Promise.reject(new ThinkTreeError("INVALID_OPTION", `a server tells no hidden states: ${mend}`));
  }

  async ledger(): Promise<Ledger> {
    return this.closed ?? withVerifier(this.parts.bill.ledger(), await this.parts.beside?.ledger());
  }

  stop(): void {
    this.ended = true;
    this.parts.beside?.stop();
    this.parts.work.stop();
  }

  close(): Promise<Ledger> {
    return this.end(cancelled());
  }

  /** Whatever is under way fails with the error, and whatever is asked later. */
  end(error: ThinkTreeError): Promise<Ledger> {
    if (this.closed !== undefined) return this.closed;
    clearTimeout(this.timer);
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.parts.work.close(error);
    this.parts.onClose();
    const own = this.parts.bill.ledger();
    const closing = this.parts.beside?.close() ?? Promise.resolve(undefined);
    return (this.closed = closing.then((beside) => withVerifier(own, beside)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private child(parent: RemoteBranch, steps: SharedStep[], context: string, given: number): RemoteBranch {
    return new RemoteBranch(this.nextId++, steps, `${parent.path}/${parent.forks++}`, context, given);
  }

  private async grow(branch: RemoteBranch, steps: number, sampler: SamplerOptions, score: boolean): Promise<void> {
    if (branch.finished) return;
    if (branch.writing !== undefined)
      throw new ThinkTreeError("INVALID_OPTION", "the branch is being extended already");
    const onStep = (written: readonly SharedStep[]) => {
      if (!score) return;
      const texts = [...branch.steps, ...written].map(({ text }) => text);
      this.verifier()
        .scores(texts)
        .catch(() => undefined); // `score` waits, and tells what is wrong
    };
    const writing = new Writing(this.parts, branch, { steps, sampler, onStep });
    branch.writing = new AbortController();
    try {
      const reason = await this.parts.work.run((signal) => writing.run(signal), branch.writing);
      branch.steps.push(...writing.finish());
      branch.finishReason = reason ?? "deadline";
      if (reason === null || reason === "budget") this.ended = true;
    } catch (error) {
      if (!branch.released) throw error;
      throw new ThinkTreeError("BRANCH_RELEASED", "the branch was released while it was being extended");
    } finally {
      branch.writing = undefined;
    }
  }

  /** @throws {ThinkTreeError} NO_VERIFIER */
  private verifier(): StepJudge {
    const { judge } = this.parts;
    if (judge === undefined) throw new ThinkTreeError("NO_VERIFIER", "the engine has no verifier");
    return judge;
  }

  private own(branch: Branch): RemoteBranch {
    this.parts.work.assertOpen();
    if (!(branch instanceof RemoteBranch)) throw foreignBranch();
    assertHeld(branch);
    return branch;
  }
}

function withVerifier(own: Ledger, beside: Ledger | undefined): Ledger {
  if (beside === undefined) return own;
  const { verifierPromptTokens, verifierTokens, referenceTokens, verifierKvCellsPeak } = beside;
  return {
    ...{ ...own, verifierPromptTokens, verifierTokens, referenceTokens, verifierKvCellsPeak },
    recomputedTokens: own.recomputedTokens + beside.recomputedTokens,
    flops: own.flops + beside.flops,
  };
}
