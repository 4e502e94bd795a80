/**
 * The grader in its worker thread.
 *
 * Owns: telling, pair by pair, what has been begun and decided, so that a worker ended in mid-work loses no verdict.
 * Must not know: time limits.
 */
import type { MathMode } from "./math-grader.js";
import { meansByPaper } from "./prm800k.js";
import { means } from "./symbolic.js";

export interface Pair {
  readonly answer: string;
  readonly reference: string;
}

export interface Batch {
  readonly mode: MathMode;
  readonly pairs: readonly Pair[];
  /** Shared memory, one a pair. */
  readonly states: Int32Array;
}

export const state = { waiting: 0, begun: 1, wrong: 2, right: 3 } as const;

const same = { symbolic: means, prm800k: meansByPaper } as const satisfies Record<MathMode, unknown>;

export default function grade({ mode, pairs, states }: Batch): void {
  pairs.forEach(({ answer, reference }, i) => {
    Atomics.store(states, i, state.begun);
    Atomics.store(states, i, same[mode](answer, reference) ? state.right : state.wrong);
  });
}
