/**
 * A branch that is text: what a server is asked to go on from.
 *
 * Owns: what stands before and in its solution, and how long that is. Must not know: servers.
 */
import { TreeBranch, type SharedStep } from "../engine/tree-branch.js";

export class RemoteBranch extends TreeBranch {
  forks = 0;
  writing: AbortController | undefined;

  constructor(
    id: number,
    steps: SharedStep[],
    /** Its path of forks: the name of its random stream. */
    readonly path: string,
    /** Between the prompt and the solution. */
    readonly context: string,
    /** At most so many tokens of context and of steps that were given. */
    public given: number,
  ) {
    super(id, steps);
  }

  /** After the prompt. */
  get whole(): string {
    return this.context + this.text;
  }

  /** Of the solution, generated. */
  get tokens(): number {
    return tokensOf(this.steps);
  }
}

export function tokensOf(steps: readonly SharedStep[]): number {
  return steps.reduce((sum, { tokens }) => sum + tokens, 0);
}
