/**
 * Who may search now, and who waits.
 *
 * Owns: the caps on what is under way at once, the bounded queue, its fairness: clients take turns, and none of them is
 * passed over because its next search is large.
 * Must not know: searches, HTTP. (What fits in the KV cache is the engine's own affair: it parks and goes on.)
 */
import { ApiError, gone } from "./api-error.js";

/** What a search may take at most. */
export interface Weight {
  readonly branches: number;
  readonly tokens: number;
}

export interface AdmissionLimits {
  readonly searches: number;
  readonly branches: number;
  readonly tokens: number;
  /** Searches that wait. */
  readonly queue: number;
  /** That one waits at most. */
  readonly queueMs: number;
}

interface Waiter {
  readonly weight: Weight;
  readonly admit: () => void;
  readonly refuse: (error: ApiError) => void;
}

/** Of how long searches take, the share of the latest in the estimate. */
const newest = 0.2;
const longestRetry = 60;

export class Admission {
  running = 0;
  private branches = 0;
  private tokens = 0;
  private closed = false;
  private usualSeconds = 1;
  /** Each client's in order of arrival; the clients in order of turns. None is empty. */
  private readonly queues = new Map<string, Waiter[]>();

  constructor(private readonly limits: AdmissionLimits) {}

  get waiting(): number {
    return [...this.queues.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  /**
   * Resolves when it is this search's turn, with what ends it.
   * @throws {ApiError} 400 it could never be admitted; 429 the queue is full; 503 it waited too long, or the server ends
   */
  async enter(client: string, weight: Weight, signal: AbortSignal): Promise<() => void> {
    this.assertPossible(weight);
    if (this.closed) throw this.leaving();
    if (signal.aborted) throw gone();
    if (this.queues.size > 0 || !this.fits(weight)) await this.wait(client, weight, signal);
    else this.take(weight);
    const begun = performance.now();
    return () => {
      this.usualSeconds += newest * ((performance.now() - begun) / 1_000 - this.usualSeconds);
      this.running -= 1;
      this.branches -= weight.branches;
      this.tokens -= weight.tokens;
      this.admitNext();
    };
  }

  /** Nobody is admitted any more; who waits is refused. */
  close(): void {
    this.closed = true;
    for (const waiter of [...this.queues.values()].flat()) waiter.refuse(this.leaving());
  }

  private wait(client: string, weight: Weight, signal: AbortSignal): Promise<void> {
    if (this.waiting >= this.limits.queue) this.makeRoomFor(client);
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.remove(client, waiter);
      };
      const waiter: Waiter = {
        weight,
        admit: () => (leave(), resolve()),
        refuse: (error) => (leave(), reject(error), this.admitNext()),
      };
      const onAbort = () => waiter.refuse(gone());
      const late = "the search waited too long for its turn: the server is busy";
      const timer = setTimeout(
        () => waiter.refuse(new ApiError(503, late, { code: "overloaded", retryAfter: this.retryAfter() })),
        this.limits.queueMs,
      );
      this.queues.set(client, [...(this.queues.get(client) ?? []), waiter]);
      signal.addEventListener("abort", onAbort);
    });
  }

  /** Whoever has most waiting gives way, its latest, to one that has less. */
  private makeRoomFor(client: string): void {
    const full = new ApiError(429, "the queue is full: the server has more searches than it can take", {
      code: "queue_full",
      retryAfter: this.retryAfter(),
    });
    const longest = [...this.queues.values()].sort((a, b) => b.length - a.length)[0];
    if (longest === undefined || longest.length <= (this.queues.get(client)?.length ?? 0) + 1) throw full;
    longest.at(-1)!.refuse(full);
  }

  private admitNext(): void {
    for (const [client, [waiter]] of this.queues) {
      if (waiter === undefined || !this.fits(waiter.weight)) return;
      this.take(waiter.weight);
      waiter.admit();
      const rest = this.queues.get(client);
      // To the end of the turns. A map is walked on to what is added meanwhile.
      this.queues.delete(client);
      if (rest !== undefined) this.queues.set(client, rest);
    }
  }

  private remove(client: string, waiter: Waiter): void {
    const rest = (this.queues.get(client) ?? []).filter((other) => other !== waiter);
    if (rest.length > 0) this.queues.set(client, rest);
    else this.queues.delete(client);
  }

  private fits({ branches, tokens }: Weight): boolean {
    const { limits } = this;
    return (
      this.running < limits.searches &&
      this.branches + branches <= limits.branches &&
      this.tokens + tokens <= limits.tokens
    );
  }

  private take({ branches, tokens }: Weight): void {
    this.running += 1;
    this.branches += branches;
    this.tokens += tokens;
  }

  private assertPossible({ branches, tokens }: Weight): void {
    const tell = (what: string, wanted: number, most: number) => {
      if (wanted <= most) return;
      const line = `the search may take ${wanted} ${what}, all searches at once have ${most}: ask for a smaller budget`;
      throw new ApiError(400, line, { param: "thinktree.budget", code: "too_large" });
    };
    tell("branches", branches, this.limits.branches);
    tell("tokens", tokens, this.limits.tokens);
  }

  private leaving(): ApiError {
    return new ApiError(503, "the server is shutting down", { code: "shutting_down", retryAfter: 5 });
  }

  /** Seconds in which the queue should be gone. */
  private retryAfter(): number {
    const rounds = (this.waiting + 1) / Math.max(1, this.running);
    return Math.min(longestRetry, Math.max(1, Math.ceil(rounds * this.usualSeconds)));
  }
}
