/**
 * What JavaScript knows of a branch, whatever grows it.
 *
 * Owns: the steps that a branch shares with others; asking for many branches at once.
 * Must not know: engines, tokens' ids.
 */
import { ThinkTreeError } from "../errors.js";
import type { Branch, FinishReason, Step } from "./search-tree.js";

/** Steps are shared by the branches that go through them, so that a score reaches all. */
export type SharedStep = { -readonly [Key in keyof Step]: Step[Key] };

export class TreeBranch implements Branch {
  finishReason: FinishReason | null = null;
  released = false;

  constructor(
    readonly id: number,
    readonly steps: SharedStep[],
  ) {}

  get text(): string {
    return textsOf(this).join("");
  }

  get finished(): boolean {
    return this.finishReason === "end";
  }
}

export function textsOf(branch: Branch): string[] {
  return branch.steps.map(({ text }) => text);
}

/** Every branch completes by itself; one that fails does not leave others running unseen. */
export async function forEachBranch<B extends TreeBranch>(
  branches: readonly Branch[],
  own: (branch: Branch) => B,
  act: (branch: B) => Promise<void>,
): Promise<void> {
  const outcomes = await Promise.allSettled(branches.map(async (branch) => act(own(branch))));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

/** @throws {ThinkTreeError} BRANCH_RELEASED */
export function assertHeld({ released }: TreeBranch): void {
  if (released) throw new ThinkTreeError("BRANCH_RELEASED", "the branch was released: fork before releasing");
}

/** @throws {ThinkTreeError} INVALID_OPTION: no step can be written so */
export function assertWritable({ finished }: TreeBranch, text: string): void {
  if (text.trim() === "") throw new ThinkTreeError("INVALID_OPTION", "a step's text is empty");
  if (finished) throw new ThinkTreeError("INVALID_OPTION", "the solution is whole: fork the branch before its end");
}

export function foreignBranch(): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", "the branch belongs to another kind of tree");
}

export function cancelled(): ThinkTreeError {
  return new ThinkTreeError("CANCELLED", "the search was cancelled");
}
