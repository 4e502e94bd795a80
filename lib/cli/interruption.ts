/**
 * Ctrl-C and kill.
 *
 * Owns: the meaning of SIGINT and SIGTERM. The first ends a search with its best answer so far, and other work with a word
 * on what is kept of it; any other, or one that comes while nothing of these is under way, ends the process at once.
 * Must not know: what is searched, how work is kept.
 */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const; // 128 + the signal's number, as shells have it

/** A signal ended the work: no failure. */
export class Interrupted extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
    cause: unknown,
  ) {
    super(`stopped; ${message}`, { cause });
  }
}

export class Interruption {
  private readonly controller = new AbortController();
  private searching = false;
  private heard: number | undefined;

  constructor() {
    for (const [name, code] of Object.entries(exitCodes)) process.on(name, () => this.hear(code));
  }

  /** The exit code of the signal that ended the search; undefined if none did. */
  get exitCode(): number | undefined {
    return this.heard;
  }

  /** Runs a search that ends early, with what it has, when the signal it is given fires. */
  async duringSearch<T>(search: (stop: AbortSignal) => Promise<T>): Promise<T> {
    this.searching = true;
    try {
      return await search(this.controller.signal);
    } finally {
      this.searching = false;
    }
  }

  /**
   * Runs work that ends when the signal it is given fires, and that the same command takes up again. `kept` says what is
   * done and where it is.
   * @throws {Interrupted} whatever the work makes of the signal
   */
  duringKeptWork<T>(kept: () => string, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    return this.duringWork(() => `${kept()}: the same command goes on from there`, work);
  }

  /**
   * Runs work of which nothing is left when the signal it is given fires.
   * @throws {Interrupted} whatever the work makes of the signal
   */
  duringLostWork<T>(work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    return this.duringWork(() => "nothing was written", work);
  }

  private async duringWork<T>(message: () => string, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await this.duringSearch(work);
    } catch (error) {
      if (this.heard === undefined) throw error;
      throw new Interrupted(message(), this.heard, error);
    }
  }

  private hear(code: number): void {
    if (!this.searching || this.heard !== undefined) process.exit(code);
    this.heard = code;
    this.controller.abort();
  }
}
