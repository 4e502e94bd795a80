/**
 * How far a benchmark is, and how long it will take yet.
 *
 * Owns: the estimate: each number of branches takes as long as the last time.
 * Must not know: what is measured.
 */
export interface Progress {
  /** Steps and first tokens. */
  readonly done: number;
  readonly total: number;
  /** Branches under way. */
  readonly branches: number;
  /** Null until every number of branches was measured once. */
  readonly remainingMs: number | null;
}

export class Countdown {
  private readonly lastMs: number[];
  private done = 0;
  private finished = 0;
  private begun = 0;

  constructor(
    private readonly branches: readonly number[],
    private readonly rounds: number,
    /** Of one number of branches in one round. */
    private readonly parts: number,
    private readonly report: (progress: Progress) => void,
  ) {
    this.lastMs = branches.map(() => NaN);
  }

  /** Runs the next number of branches, which calls `part` when a part is done. */
  async during<T>(work: (part: () => void) => Promise<T>): Promise<T> {
    this.begun = performance.now();
    this.tell();
    const result = await work(() => {
      this.done++;
      this.tell();
    });
    this.lastMs[this.finished++ % this.branches.length] = performance.now() - this.begun;
    return result;
  }

  private tell(): void {
    const { branches, rounds, done, finished } = this;
    const all = rounds * branches.length;
    const left = Array.from({ length: all - finished }, (_, i) => this.lastMs[(finished + i) % branches.length]!);
    const remaining = left.reduce((sum, ms) => sum + ms, 0) - (performance.now() - this.begun);
    this.report({
      ...{ done, total: all * this.parts, branches: branches[finished % branches.length]! },
      remainingMs: Number.isNaN(remaining) ? null : Math.max(0, remaining),
    });
  }
}
