/**
 * An engine in a process of its own, as if it were in this one.
 *
 * Owns: starting that process again when it has died; who goes on in the next, and who is taken for the cause.
 * Must not know: how a process is started, what a search is made of.
 *
 * Who was asked something when a process died is a suspect. Suspects go on one after the other, alone, from what they had
 * last answered; the others after them. A search during which, alone, a second process dies in a row is the cause, and fails.
 */
import { ThinkTreeError } from "../../errors.js";
import type { EngineStats, NativeCompletion, NativeEvent, NativeFailure } from "../addon.js";
import { CommandBuffer, type Command } from "../codec.js";
import type { Link } from "../link.js";
import { noStats } from "../no-figures.js";
import type { ResolvedOptions } from "../options.js";
import { Child } from "./child.js";
import { Journal } from "./journal.js";
import type { Asked, RecordedSearch } from "./recorded-search.js";

const firstPauseMs = 50;
const longestPauseMs = 10_000;
const longestTimerMs = 2 ** 31 - 1;
const results: ReadonlySet<Asked> = new Set<Asked>(["extend", "score", "pair", "hidden"]);

/** A search that was under way when a process died. */
interface Suspect {
  readonly search: RecordedSearch;
  /** What it was asked at that time: once all of it is answered, the search is cleared. */
  readonly requests: Set<number>;
}

export class IsolatedEngine implements Link {
  private readonly journal = new Journal();
  private child: Child;
  private loaded = false;
  private everLoaded = false;
  private suspects: Suspect[] = [];
  private readonly failures = new Map<RecordedSearch, ThinkTreeError>();
  private readonly deadlines = new Map<RecordedSearch, NodeJS.Timeout>();
  /** Requests that the living process has and has not answered. */
  private readonly underWay = new Set<number>();
  /** Processes that died in a row without one result. */
  private deaths = 0;
  private restarting: NodeJS.Timeout | undefined;
  private broken: ThinkTreeError | undefined;
  private closing: Promise<void> | undefined;
  private referenced = true;

  constructor(
    private readonly options: object,
    private readonly isolation: NonNullable<ResolvedOptions["isolation"]>,
    private readonly onEvent: (...event: NativeEvent) => void,
  ) {
    this.child = this.start();
  }

  submit(commands: readonly Command[]): void {
    if (this.closing !== undefined) return;
    const buffer = new CommandBuffer();
    for (const command of commands) this.take(command, buffer);
    this.child.submit(buffer);
  }

  stats(): EngineStats {
    return (this.loaded ? this.child.stats() : undefined) ?? noStats;
  }

  close(): Promise<void> {
    clearTimeout(this.restarting);
    for (const timer of this.deadlines.values()) clearTimeout(timer);
    this.deadlines.clear();
    return (this.closing ??= this.child.end());
  }

  ref(): void {
    this.referenced = true;
    this.child.ref();
    this.restarting?.ref();
  }

  unref(): void {
    this.referenced = false;
    this.child.unref();
    this.restarting?.unref();
  }

  // ---- commands and answers ----

  private take(command: Command, buffer: CommandBuffer): void {
    const noted = this.journal.note(command);
    if (noted === undefined) return;
    const { search, request } = noted;
    if (search === undefined) return this.tell([{ ...noted, reason: "step", steps: [], scores: [] }]);
    if (!search.present && this.admits(search)) {
      this.enter(search, buffer); // with what was just noted
    } else if (search.present) {
      command(buffer);
      if (request !== undefined) this.underWay.add(request);
    } else {
      this.answerWithoutProcess(search);
    }
  }

  private completed(completions: readonly NativeCompletion[]): void {
    const answers: NativeCompletion[] = [];
    for (const completion of completions) {
      this.underWay.delete(completion.request);
      const found = this.journal.answer(completion);
      if (found === undefined) continue;
      answers.push(found.answer);
      if (results.has(found.what)) this.deaths = 0;
      for (const suspect of this.suspects) suspect.requests.delete(completion.request);
    }
    this.clear();
    if (answers.length > 0) this.onEvent("completed", answers);
  }

  /** An answer that no process gives. */
  private settle(search: RecordedSearch, answer: (what: Asked) => Partial<NativeCompletion> | undefined): void {
    const answers: NativeCompletion[] = [];
    for (const [request, { what }] of [...search.requests]) {
      const given = answer(what);
      if (given === undefined) continue;
      const found = this.journal.answer({ request, reason: "step", steps: [], scores: [], ...given });
      if (found !== undefined) answers.push(found.answer);
      for (const suspect of this.suspects) suspect.requests.delete(request);
    }
    this.tell(answers);
  }

  /** Not before `submit` has returned. */
  private tell(answers: readonly NativeCompletion[]): void {
    queueMicrotask(() => {
      if (this.closing === undefined) this.onEvent("completed", answers);
    });
  }

  private answerWithoutProcess(search: RecordedSearch): void {
    const failure = this.failures.get(search) ?? this.broken;
    const closed = [...search.requests.values()].some(({ what }) => what === "close");
    const expired = search.stopped || search.msLeft === 0;
    this.settle(search, (what) => {
      if (what === "ledger" || what === "close") return {};
      if (failure !== undefined) return failureOf(failure);
      if (closed) return { code: "CANCELLED", message: "the search was closed" };
      if (!expired || what === "open" || what === "judge") return undefined;
      if (what === "hidden") return { code: "EXHAUSTED", message: "the search's deadline has passed" };
      return { reason: "deadline" };
    });
    if (closed) this.leave(search);
    else if (search.requests.size > 0) this.watchDeadline(search);
    this.clear();
  }

  private watchDeadline(search: RecordedSearch): void {
    const { msLeft } = search;
    if (msLeft === undefined || msLeft > longestTimerMs || this.deadlines.has(search)) return;
    const expire = () => {
      this.deadlines.delete(search);
      this.answerWithoutProcess(search);
    };
    this.deadlines.set(search, setTimeout(expire, Math.ceil(msLeft)));
  }

  private forgetDeadline(search: RecordedSearch): void {
    clearTimeout(this.deadlines.get(search));
    this.deadlines.delete(search);
  }

  private leave(search: RecordedSearch): void {
    this.forgetDeadline(search);
    this.failures.delete(search);
  }

  // ---- lives ----

  private start(): Child {
    const child = new Child(this.options, this.isolation.hangMilliseconds, {
      loaded: (models) => {
        this.loaded = true;
        if (!this.everLoaded) this.onEvent("loaded", models);
        this.everLoaded = true;
        this.enterAll();
      },
      completed: (completions) => this.completed(completions),
      died: (error) => this.died(error),
      working: () => this.underWay.size > 0,
    });
    if (!this.referenced) child.unref();
    return child;
  }

  private died(error: ThinkTreeError): void {
    if (!this.everLoaded) {
      this.onEvent("failed", failureOf(error));
      return;
    }
    this.loaded = false;
    this.deaths += 1;
    this.suspect(error);
    this.underWay.clear();
    this.journal.died();
    if (this.deaths > this.isolation.restarts) this.broken = lost(this.deaths, error);
    for (const search of this.journal.searches.values()) this.answerWithoutProcess(search);
    if (this.broken !== undefined) return;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.deaths - 1));
    this.restarting = setTimeout(() => {
      this.restarting = undefined;
      this.child = this.start();
    }, pauseMs);
    if (!this.referenced) this.restarting.unref();
  }

  private suspect(error: ThinkTreeError): void {
    const [first] = this.suspects;
    const present = [...this.journal.searches.values()].filter(
      (search) => search.present && [...search.requests.keys()].some((request) => this.underWay.has(request)),
    );
    if (present.length === 0) return;
    if (first !== undefined) {
      this.failures.set(first.search, error); // it was alone, and this is the second time
      this.suspects.shift();
    } else {
      this.suspects = present.map((search) => ({ search, requests: new Set(search.requests.keys()) }));
    }
  }

  /** Suspects that have answered all go free, and the next one has its turn. */
  private clear(): void {
    const before = this.suspects[0];
    while (this.suspects[0]?.requests.size === 0) this.suspects.shift();
    if (this.suspects[0] !== before) this.enterAll();
  }

  private admits(search: RecordedSearch): boolean {
    if (!this.loaded || this.failures.has(search)) return false;
    return this.suspects[0] === undefined || this.suspects[0].search === search;
  }

  private enterAll(): void {
    const buffer = new CommandBuffer();
    for (const search of this.journal.searches.values()) {
      if (!search.present && this.admits(search)) this.enter(search, buffer);
    }
    this.child.submit(buffer);
  }

  private enter(search: RecordedSearch, buffer: CommandBuffer): void {
    search.present = true;
    this.forgetDeadline(search);
    search.replay(buffer);
    for (const request of search.requests.keys()) this.underWay.add(request);
  }
}

function lost(deaths: number, last: ThinkTreeError): ThinkTreeError {
  const times = deaths === 1 ? "once" : `${deaths} times in a row`;
  const message = `the engine's process has died ${times} and is not started again: load an engine anew; at last ${last.message}`;
  return new ThinkTreeError("ENGINE_CLOSED", message, { cause: last });
}

function failureOf({ code, message, cause }: ThinkTreeError): NativeFailure {
  return { code, message, cause };
}
