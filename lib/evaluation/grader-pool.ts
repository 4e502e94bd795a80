/**
 * Grading beside the event loop, with a hard time limit for each answer.
 *
 * Owns: the worker threads and the limit. An answer that takes longer is wrong, and its worker is replaced.
 * Must not know: what makes an answer right.
 */
import { Piscina } from "piscina";

import { state, type Batch, type Pair } from "./grade-worker.js";

/** What evaluation needs of a grader. */
export interface Grader {
  grade(answer: string | null, reference: string): Promise<boolean>;
}

interface Waiting extends Pair {
  readonly resolve: (right: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class GraderPool implements Grader, AsyncDisposable {
  private pool: Piscina<Batch, void> | undefined;
  private waiting: Waiting[] = [];

  /** @param timeLimitMs of one answer, while it is being graded; it ends within twice that. */
  constructor(private readonly timeLimitMs = 1_000) {}

  /** No answer is wrong. What was asked for together is one task, and what needs no thought none at all. */
  grade(answer: string | null, reference: string): Promise<boolean> {
    if (answer === null) return Promise.resolve(false);
    if (answer === reference) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      if (this.waiting.push({ answer, reference, resolve, reject }) > 1) return;
      setImmediate(() => {
        const batch = this.waiting;
        this.waiting = [];
        void this.gradeAll(batch);
      });
    });
  }

  /** Ends the threads; what is not graded yet fails. */
  async close(): Promise<void> {
    await this.pool?.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async gradeAll(batch: readonly Waiting[]): Promise<void> {
    for (let left = batch; left.length > 0;) {
      const states = new Int32Array(new SharedArrayBuffer(left.length * Int32Array.BYTES_PER_ELEMENT));
      try {
        await this.run({ pairs: left.map(({ answer, reference }) => ({ answer, reference })), states });
      } catch (error) {
        for (const { reject } of left) reject(error);
        return;
      }
      // Begun and not decided is what took too long, or broke the worker; what came after it has its turn next.
      const reached = [...states]; // once: a worker that is being ended may still write
      left.forEach(({ resolve }, i) => {
        if (reached[i] !== state.waiting) resolve(reached[i] === state.right);
      });
      left = left.filter((_, i) => reached[i] === state.waiting);
    }
  }

  /** Returns when the batch is done, or when one answer was over the limit or more than the worker could bear. */
  private async run(batch: Batch): Promise<void> {
    this.pool ??= new Piscina({
      filename: new URL("./grade-worker.js", import.meta.url).href,
      minThreads: 0,
      maxThreads: 2,
    });
    const overdue = new AbortController();
    let seen = -1;
    const watchdog = setInterval(() => {
      const now = batch.states.findIndex((_, i) => Atomics.load(batch.states, i) === state.begun);
      if (now >= 0 && now === seen) overdue.abort();
      seen = now;
    }, this.timeLimitMs);
    try {
      await this.pool.run(batch, { signal: overdue.signal });
    } catch (error) {
      if (!overdue.signal.aborted && !batch.states.includes(state.begun)) throw error;
    } finally {
      clearInterval(watchdog);
    }
  }
}
