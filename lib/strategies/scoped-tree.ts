/**
 * A view of a tree that gives back what it took.
 *
 * Owns: the list of branches that a search holds.
 * Must not know: why a branch is forked, conditioned, extended or released.
 *
 * Strategies are written as if nothing could fail. Whatever does fail (a decode, a callback, one of several searches
 * that run side by side), `close` lets calls under way come to rest and then releases every branch still held.
 */
import { ThinkTreeError } from "../errors.js";
import type { Branch, ExtendOptions, SearchTree } from "../engine/search-tree.js";

export class ScopedTree implements SearchTree {
  readonly #tree: SearchTree;
  readonly #held = new Set<Branch>();
  readonly #underWay = new Set<Promise<void>>();
  #closed = false;

  constructor(tree: SearchTree) {
    this.#tree = tree;
  }

  get root(): Branch {
    return this.#tree.root;
  }

  get exhausted(): boolean {
    return this.#tree.exhausted;
  }

  fork(branch: Branch, n: number): Branch[] {
    this.#assertOpen();
    const children = this.#tree.fork(branch, n);
    for (const child of children) this.#held.add(child);
    return children;
  }

  condition(branch: Branch, text: string): Branch {
    this.#assertOpen();
    const conditioned = this.#tree.condition(branch, text);
    this.#held.add(conditioned);
    return conditioned;
  }

  async extend(branches: readonly Branch[], options?: ExtendOptions): Promise<void> {
    this.#assertOpen();
    await this.#track(this.#tree.extend(branches, options));
  }

  async score(branches: readonly Branch[]): Promise<void> {
    this.#assertOpen();
    await this.#track(this.#tree.score(branches));
  }

  release(branches: readonly Branch[]): void {
    this.#assertOpen();
    this.#tree.release(branches);
    for (const branch of branches) this.#held.delete(branch);
  }

  /** Releases everything still held. The view takes no call afterwards: a search that goes on regardless ends there. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    this.#tree.release([...this.#held]);
    this.#held.clear();
  }

  async #track(call: Promise<void>): Promise<void> {
    this.#underWay.add(call);
    try {
      await call;
    } finally {
      this.#underWay.delete(call);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new ThinkTreeError("CANCELLED", "the search this branch belongs to has ended");
  }
}
