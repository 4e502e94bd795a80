/**
 * The contract between strategies and whatever grows the tree: the native engine, or a toy tree in tests.
 *
 * Owns: the words branch, step, extend, score, fork, condition, release.
 * Must not know: tokens' ids, KV cells, sequences, questions, strategies.
 */

/** Why the last `extend` of a branch stopped. */
export type FinishReason =
  /** The asked number of steps was written; the solution goes on. */
  | "step"
  /** The model wrote its end token: a whole solution. The only reason that makes a branch `finished`. */
  | "end"
  /** The branch ran into its own length limit or the context's end: not a whole solution. */
  | "length"
  /** The tree's token budget is spent. */
  | "budget"
  /** The tree's deadline has passed, or it was told to stop. */
  | "deadline";

/** One step of a solution: the text up to and including its delimiter. */
export interface Step {
  readonly text: string;
  /** Generated tokens of this step. */
  readonly tokens: number;
  /** Sum over the step's tokens of the generator's own log-probability (natural log, temperature 1, before truncation). */
  readonly logProbability: number;
  /** The verifier's score in [0, 1]; null until scored. */
  readonly score: number | null;
}

/** A cursor on the tree: a partial or whole solution. Forking one costs nothing. */
export interface Branch {
  readonly id: number;
  /** Steps from the root on. The prompt is not among them. */
  readonly steps: readonly Step[];
  /** The steps' texts joined. */
  readonly text: string;
  /** Reason of the last extend; null before the first. */
  readonly finishReason: FinishReason | null;
  /** True when the solution is whole (finishReason is "end"). */
  readonly finished: boolean;
}

export interface ExtendOptions {
  /** Steps to write before completing; Infinity writes the solution to its end. Default 1. */
  readonly steps?: number;
  /** Overrides the tree's temperature for this call; 0 is greedy. */
  readonly temperature?: number | undefined;
  /** Score each step as soon as it ends, while other branches still decode. Default false. */
  readonly score?: boolean;
  /**
   * A hint, for strategies: a branch that survives will be forked into so many, which are extended with the same
   * temperature. The engine may then begin their text in the room that this branch leaves while others of the tree still
   * write. Texts and scores stay the same; `Ledger.speculatedTokens` has what was begun. Nothing is begun where the tree has a
   * budget of tokens or flops. 0 to 65,536; default 0: off.
   */
  readonly ahead?: number;
}

export interface SearchTree {
  /** The empty solution: the question alone. */
  readonly root: Branch;
  /** True once a budget, a deadline or a stop has ended the search: extending further yields nothing. */
  readonly exhausted: boolean;
  /** `n` new branches at the same place, each with its own random stream. The original stays usable. */
  fork(branch: Branch, n: number): Branch[];
  /**
   * A new branch with an empty solution whose context is what `branch` has read and written (its end token excepted), then
   * `text`: given, not sampled. For revisions: the branch's attempt, then words that ask for another. Its steps start empty.
   * The text is prefilled when the branch is first extended, once for all its forks. The original stays usable; works on finished branches.
   */
  condition(branch: Branch, text: string): Branch;
  /**
   * Writes the next step(s) of every branch, in place. Finished branches are left as they are.
   * A spent budget or deadline is no error: see `Branch.finishReason` and `exhausted`.
   */
  extend(branches: readonly Branch[], options?: ExtendOptions): Promise<void>;
  /** Scores every step not yet scored on the way to each branch. After the tree is exhausted by its deadline, steps may stay unscored. */
  score(branches: readonly Branch[]): Promise<void>;
  /** Gives the branches up. Their steps and scores stay readable; extending them is an error. */
  release(branches: readonly Branch[]): void;
}
