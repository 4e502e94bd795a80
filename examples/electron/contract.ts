/**
 * What the window and the main process say to each other: plain data, as structured clone copies it.
 *
 * Owns: the types. Must not know: Electron, the engine.
 */

/** What the preload script puts into the window as `thinktree`: the window can do this and nothing else. */
export interface Api {
  /** One question at a time: another one cancels it. Rejects only where the application has a bug. */
  ask(question: string): Promise<Outcome>;
  /** The question under way, if any, ends as "cancelled". */
  cancel(): void;
  /** Returns how to stop listening. */
  onProgress(listener: (progress: Progress) => void): () => void;
}

export interface Step {
  readonly text: string;
  /** The verifier's, from 0 to 1; null: not scored. */
  readonly score: number | null;
}

export interface Cost {
  /** Generated. */
  readonly tokens: number;
  readonly milliseconds: number;
}

/** After each round of the search. */
export interface Progress {
  readonly round: number;
  /** Branches that go on growing. */
  readonly live: number;
  /** Whole solutions so far. */
  readonly finished: number;
  /** The most promising of the branches that have written last. */
  readonly steps: readonly Step[];
  /** Of the best whole solution; null: none yet. */
  readonly answer: string | null;
  readonly cost: Cost;
}

export type Outcome =
  | {
      readonly kind: "answer";
      /** Null: no solution states one. */
      readonly answer: string | null;
      readonly steps: readonly Step[];
      /** Solutions with this answer, and all. */
      readonly votes: readonly [same: number, all: number];
      /** Whether the budget ended the search. */
      readonly early: boolean;
      readonly cost: Cost;
    }
  | { readonly kind: "cancelled" }
  /** `message`: what went wrong and what to do, for a person. */
  | { readonly kind: "problem"; readonly message: string };
