/**
 * Comparing answers in worker threads, with a hard time limit for each.
 *
 * Owns: the worker threads and the limit. An answer that takes longer is wrong, and its worker is replaced.
 * Must not know: what makes an answer right, which answers need no thread.
 */
import { existsSync } from "node:fs";
import { Piscina } from "piscina";

import { ThinkTreeError } from "../errors.js";
import { state, type Batch, type Pair } from "./grade-worker.js";
import type { MathMode } from "./math-grader.js";

interface Waiting extends Pair {
  readonly resolve: (right: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Of a time limit, how often it is looked at: an answer ends within 1.25 times its limit. */
const looks = 4;

export class GraderPool {
  private pool: Piscina<Batch, void> | undefined;
  private waiting: Waiting[] = [];

  /** @param timeLimitMs of one answer, while it is being graded. */
  constructor(
    private readonly mode: MathMode,
    private readonly timeLimitMs: number,
  ) {}

  /** What was asked for together is one task. */
  grade(answer: string, reference: string): Promise<boolean> {
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

  private async gradeAll(batch: readonly Waiting[]): Promise<void> {
    for (let left = batch; left.length > 0;) {
      const states = new Int32Array(new SharedArrayBuffer(left.length * Int32Array.BYTES_PER_ELEMENT));
      try {
        const pairs = left.map(({ answer, reference }) => ({ answer, reference }));
        await this.run({ mode: this.mode, pairs, states });
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
    this.pool ??= openPool();
    const overdue = new AbortController();
    let [seen, looked] = [-1, 0];
    const watchdog = setInterval(() => {
      const now = batch.states.findIndex((_, i) => Atomics.load(batch.states, i) === state.begun);
      looked = now === seen ? looked + 1 : 0;
      if (now >= 0 && looked >= looks) overdue.abort();
      seen = now;
    }, this.timeLimitMs / looks);
    try {
      await this.pool.run(batch, { signal: overdue.signal });
    } catch (error) {
      if (!overdue.signal.aborted && !batch.states.includes(state.begun)) throw error;
    } finally {
      clearInterval(watchdog);
    }
  }
}

/** Threads that cannot find their program would be started again and again. */
function openPool(): Piscina<Batch, void> {
  const worker = new URL("./grade-worker.js", import.meta.url);
  if (existsSync(worker)) return new Piscina({ filename: worker.href, minThreads: 0, maxThreads: 2 });
  const mend = "leave thinktree out of the bundle, as a package that is loaded from node_modules";
  throw new ThinkTreeError("INTERNAL", `the grader's worker is not at ${worker.href}: ${mend}`);
}
