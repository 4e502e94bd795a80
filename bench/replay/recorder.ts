/**
 * Watches a search and tells the tree that it grew.
 *
 * Owns: a search tree that notes what a strategy does with it. Must not know: strategies, engines, files.
 */
import type { Branch, ExtendOptions, SearchTree } from "thinktree";

import type { RecordedRound } from "./recorded-tree.js";

/** For strategies in rounds, each of whose branches writes one step a round. */
export class RecordingTree implements SearchTree {
  private readonly parents = new Map<Branch, Branch>();
  private readonly extended: (readonly Branch[])[] = [];

  constructor(private readonly tree: SearchTree) {}

  get root(): Branch {
    return this.tree.root;
  }

  get exhausted(): boolean {
    return this.tree.exhausted;
  }

  fork(branch: Branch, n: number): Branch[] {
    const children = this.tree.fork(branch, n);
    for (const child of children) this.parents.set(child, branch);
    return children;
  }

  extend(branches: readonly Branch[], options?: ExtendOptions): Promise<void> {
    this.extended.push([...branches]);
    return this.tree.extend(branches, options);
  }

  score(branches: readonly Branch[]): Promise<void> {
    return this.tree.score(branches);
  }

  release(branches: readonly Branch[]): void {
    this.tree.release(branches);
  }

  condition(): never {
    throw new Error("a revised solution cannot be replayed");
  }

  rounds(): RecordedRound[] {
    return this.extended.map((branches, i) => {
      const before = this.extended[i - 1] ?? [];
      const steps = branches.map((branch) => branch.steps.at(-1)!);
      return {
        parents: branches.map((branch) => before.indexOf(this.parents.get(branch)!)),
        lengths: steps.map(({ tokens }) => tokens),
        ...(steps.every(({ score }) => score !== null) && { scores: steps.map(({ score }) => rounded(score!)) }),
      };
    });
  }
}

function rounded(score: number): number {
  return Number(score.toFixed(4));
}
