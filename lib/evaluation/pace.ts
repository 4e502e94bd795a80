/**
 * How far a long row of like work has come.
 *
 * Owns: the count, and the estimate of what is left. Must not know: the work, terminals.
 */
export interface PaceReport {
  readonly done: number;
  readonly total: number;
  /** Estimated from what was done in this run; null before that. */
  readonly remainingMs: number | null;
}

export class Pace {
  private readonly begun = performance.now();
  private readonly before: number;

  /** `done`: before this run. `tell` is called at once, and after every count. */
  constructor(
    private readonly total: number,
    private done: number,
    private readonly tell: (report: PaceReport) => void,
  ) {
    this.before = done;
    this.report();
  }

  count(): void {
    this.done++;
    this.report();
  }

  private report(): void {
    const { done, total, before } = this;
    const each = (performance.now() - this.begun) / (done - before);
    this.tell({ done, total, remainingMs: done > before ? each * (total - done) : null });
  }
}
