/**
 * The searches of all requests.
 *
 * Owns: the life of each: its turn, its run, what is counted of it; the end of all of them.
 * Must not know: HTTP, how requests and answers look.
 */
import { setTimeout } from "node:timers/promises";

import { ThinkTreeError } from "../errors.js";
import type { Engine } from "../scheduler/engine.js";
import type { Answer, Progress } from "../scheduler/solve-options.js";
import { Admission, type AdmissionLimits } from "./admission.js";
import { apiErrorOf } from "./api-error.js";
import type { Metrics } from "./metrics.js";
import type { SearchRequest } from "./search-request.js";

/** What the server needs of an engine. */
export type SearchEngine = Pick<Engine, "solve" | "stats" | "models" | "fingerprints">;

export interface SearchCall {
  /** Whose turn it takes. */
  readonly client: string;
  /** Ends it with nothing. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export class Searches {
  private readonly admission: Admission;
  private readonly stopping = new AbortController();
  private idle: (() => void) | undefined;
  private draining = false;
  private lost = false;

  constructor(
    private readonly engine: SearchEngine,
    limits: AdmissionLimits,
    private readonly metrics: Metrics,
  ) {
    this.admission = new Admission(limits);
    metrics.watch(this.admission, engine);
  }

  /** Null if more searches are welcome, else why not. */
  get unready(): string | null {
    if (this.lost) return "the engine was closed";
    return this.draining ? "shutting down" : null;
  }

  /** @throws {ApiError} what a client is told, whatever went wrong */
  async run({ question, options, weight }: SearchRequest, { client, signal, onProgress }: SearchCall): Promise<Answer> {
    const arrived = performance.now();
    let outcome = "failed";
    try {
      const leave = await this.admission.enter(client, weight, signal);
      this.metrics.admitted(performance.now() - arrived);
      try {
        const answer = await this.engine.solve(question, {
          ...{ ...options, signal, stop: this.stopping.signal },
          ...(onProgress && { onProgress }),
        });
        outcome = answer.finishReason;
        this.metrics.spent(answer.ledger);
        return answer;
      } finally {
        leave();
        if (this.admission.running === 0) this.idle?.();
      }
    } catch (error) {
      this.lost ||= ThinkTreeError.isInstance(error) && error.code === "ENGINE_CLOSED";
      const told = apiErrorOf(error);
      outcome = told.code ?? outcome;
      throw error;
    } finally {
      this.metrics.searched(outcome, performance.now() - arrived);
    }
  }

  /** Nothing new is begun. What runs has so long to end; then it answers with the best that it has. */
  async drain(milliseconds: number): Promise<void> {
    this.draining = true;
    this.admission.close();
    if (this.admission.running === 0) return;
    const idle = new Promise<void>((resolve) => (this.idle = resolve));
    const waiting = new AbortController();
    const late = setTimeout(milliseconds, undefined, { signal: waiting.signal }).then(
      () => this.stopping.abort(),
      () => undefined,
    );
    await idle;
    waiting.abort();
    await late;
  }
}
