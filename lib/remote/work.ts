/**
 * What is under way for one search.
 *
 * Owns: ending it: softly, so that everyone completes with what there is, or for good.
 * Must not know: what it is.
 */
import type { ThinkTreeError } from "../errors.js";

export class Work {
  private readonly controllers = new Set<AbortController>();
  private stopped = false;
  private failure: ThinkTreeError | undefined;

  /** Null: the search was stopped before it was done. @throws what it throws; what the search was closed with */
  async run<T>(act: (signal: AbortSignal) => Promise<T>, controller = new AbortController()): Promise<T | null> {
    this.assertOpen();
    if (this.stopped) return null;
    this.controllers.add(controller);
    try {
      return await act(controller.signal);
    } catch (error) {
      this.assertOpen();
      if (this.stopped && controller.signal.aborted) return null;
      throw error;
    } finally {
      this.controllers.delete(controller);
    }
  }

  assertOpen(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  stop(): void {
    this.stopped = true;
    this.abort();
  }

  /** May be called again: the first error holds. */
  close(error: ThinkTreeError): void {
    this.failure ??= error;
    this.abort();
  }

  private abort(): void {
    for (const controller of this.controllers) controller.abort();
  }
}
