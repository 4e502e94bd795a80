/**
 * Ctrl-C and kill.
 *
 * Owns: the meaning of SIGINT and SIGTERM. The first ends a search with its best answer so far; any other, or one that
 * comes while no search is under way, ends the process at once.
 * Must not know: what is searched.
 */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const; // 128 + the signal's number, as shells have it

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

  private hear(code: number): void {
    if (!this.searching || this.heard !== undefined) process.exit(code);
    this.heard = code;
    this.controller.abort();
  }
}
