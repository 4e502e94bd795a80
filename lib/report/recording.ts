/**
 * A search's tree as plain JSON: what recorders write, streams carry and viewers draw.
 *
 * Owns: the types. Must not know: who records, who draws. The browser reads it too: nothing of Node here.
 */

/** One step on the recorded tree, or a text given by the strategy between two attempts. */
export interface RecordedStep {
  /** Its place in the recording, from 0. */
  readonly id: number;
  /** Id of the step it follows; null: it follows the question. */
  readonly parent: number | null;
  readonly text: string;
  /** True: given by the strategy, not written by the model. */
  readonly given: boolean;
  readonly tokens: number;
  /** The verifier's, in [0, 1]; null if never scored. */
  readonly score: number | null;
  /** From 1: when it was written. */
  readonly round: number;
  /** The round in which the last branch through it was given up without a solution; null: it leads to a solution. */
  readonly pruned: number | null;
  /** The solution that ends with this step. */
  readonly solution: { readonly answer: string | null; readonly score: number | null; readonly whole: boolean } | null;
}

/** Plain JSON. Filled by the search: empty before it, and begun anew if the strategy searches again. */
export interface TreeRecording {
  readonly strategy: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Parents come before their children. */
  steps: readonly RecordedStep[];
  /** The last round; 0 before the search. */
  rounds: number;
  /** Id of the step that ends the solution ranked first; null before ranking, or if it has no step here. */
  chosen: number | null;
}

/** What has changed on a tree since its reader was last told. */
export interface TreeNews {
  /** Steps that are new, and those told before that have been scored, pruned or found to end a solution: whole, by their ids. */
  readonly steps: readonly RecordedStep[];
  /** The last round, over all strategies that ran. */
  readonly rounds: number;
  /** Id of the step that ends the chosen solution; null while the search goes on, or if the solution has no step. */
  readonly chosen: number | null;
}
