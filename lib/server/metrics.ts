/**
 * What Prometheus reads.
 *
 * Owns: the metrics' names, labels and buckets. No label has a value that a client chooses.
 * Must not know: HTTP, searches.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

import type { EngineStats, Ledger } from "../engine/addon.js";

const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Of the engine's figures, those that only grow. The others are what it holds now. */
const growing = ["decodes", "decodedTokens", "verifierDecodes", "verifierTokens"] as const;
const held = ["kvCells", "verifierKvCells", "leases", "searches", "branches"] as const;

export class Metrics {
  readonly registry = new Registry();
  private readonly requests = this.counter("http_requests", "Requests answered", ["route", "status"]);
  private readonly requestSeconds = this.histogram("http_request_seconds", "From a request to its answer's end", [
    "route",
  ]);
  private readonly searches = this.counter("searches", "Searches by how they ended", ["outcome"]);
  private readonly searchSeconds = this.histogram(
    "search_seconds",
    "From a search's arrival to its end, its wait included",
  );
  private readonly queueSeconds = this.histogram("queue_seconds", "What searches waited for their turn");
  private readonly tokens = this.counter("tokens", "Tokens of searches that have ended with an answer", ["kind"]);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  answered(route: string, status: number, milliseconds: number): void {
    this.requests.inc({ route, status });
    this.requestSeconds.observe({ route }, milliseconds / 1_000);
  }

  admitted(waitedMs: number): void {
    this.queueSeconds.observe(waitedMs / 1_000);
  }

  searched(outcome: string, milliseconds: number): void {
    this.searches.inc({ outcome });
    this.searchSeconds.observe(milliseconds / 1_000);
  }

  spent(ledger: Ledger): void {
    const { promptTokens, generatedTokens, coalescedTokens, verifierPromptTokens, verifierTokens, recomputedTokens } =
      ledger;
    this.tokens.inc({ kind: "prompt" }, promptTokens);
    this.tokens.inc({ kind: "generated" }, generatedTokens);
    this.tokens.inc({ kind: "coalesced" }, coalescedTokens);
    this.tokens.inc({ kind: "verifier" }, verifierPromptTokens + verifierTokens);
    this.tokens.inc({ kind: "recomputed" }, recomputedTokens);
  }

  watchConnections(open: () => number): void {
    this.gauge("http_connections", "Connections that are open", open);
  }

  /** Reads them whenever it is asked. */
  watch(queue: { readonly running: number; readonly waiting: number }, engine: { stats(): EngineStats }): void {
    this.gauge("searches_running", "Searches under way", () => queue.running);
    this.gauge("searches_waiting", "Searches that wait for their turn", () => queue.waiting);
    for (const name of held)
      this.gauge(`engine_${snake(name)}`, `What the engine holds: ${name}`, () => engine.stats()[name]);
    for (const name of growing) {
      const read = (counter: Counter) => {
        counter.reset();
        counter.inc(engine.stats()[name]);
      };
      this.counter(`engine_${snake(name)}`, `Since the models were loaded: ${name}`, [], read);
    }
  }

  private counter<T extends string>(
    name: string,
    help: string,
    labelNames: T[] = [],
    read?: (counter: Counter) => void,
  ) {
    const collect = read && {
      collect(this: Counter) {
        read(this);
      },
    };
    return new Counter({ name: `thinktree_${name}_total`, help, labelNames, registers: [this.registry], ...collect });
  }

  private gauge(name: string, help: string, read: () => number): void {
    const collect = function (this: Gauge) {
      this.set(read());
    };
    new Gauge({ name: `thinktree_${name}`, help, registers: [this.registry], collect });
  }

  private histogram<T extends string>(name: string, help: string, labelNames: T[] = []) {
    return new Histogram({ name: `thinktree_${name}`, help, labelNames, buckets: seconds, registers: [this.registry] });
  }
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}
