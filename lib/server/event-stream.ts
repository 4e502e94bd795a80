/**
 * A search as server-sent events.
 *
 * Owns: the order news, answer, end; comments that keep a connection alive. Where the reader is slow, older progress gives
 * way to newer, so that nothing piles up.
 * Must not know: HTTP, what chunks look like, what a tree is.
 */
import { setTimeout } from "node:timers/promises";

import type { Answer, Progress } from "../scheduler/solve-options.js";
import { apiErrorOf } from "./api-error.js";

/** What is looked at between rounds. */
export interface Pulse<T> {
  readonly everyMs: number;
  /** What has come about since it was last asked; null: nothing. */
  readonly news: () => T | null;
}

type Moment<T> =
  { readonly progress?: Progress | undefined; readonly more?: T | undefined } | { readonly answer: Answer } | "waiting";

/** What happens in a search, one after the other; "waiting" after every so many milliseconds without. */
async function* momentsOf<T>({ search, pulse, patienceMs }: Writing<T>): AsyncGenerator<Moment<T>, void> {
  let [latest, answer]: [Progress | undefined, Answer | undefined] = [undefined, undefined];
  let ring: () => void = () => undefined;
  const ended = search((progress) => {
    latest = progress;
    ring();
  }).then((found) => {
    answer = found;
  });
  ended.catch(() => undefined); // it is awaited, unless nobody reads on
  const untold = () => {
    const [progress] = [latest];
    latest = undefined;
    const more = pulse?.news() ?? undefined;
    return progress === undefined && more === undefined ? null : { progress, more };
  };
  let quietMs = 0;
  while (answer === undefined) {
    if (latest === undefined) {
      const rung = new Promise<void>((resolve) => (ring = resolve));
      const spanMs = Math.min(pulse?.everyMs ?? patienceMs, patienceMs - quietMs);
      quietMs += spanMs;
      const patience = new AbortController();
      const bored = setTimeout(spanMs, undefined, { signal: patience.signal }).catch(() => undefined);
      try {
        await Promise.race([ended, rung, bored]);
      } finally {
        patience.abort();
      }
    }
    if (answer !== undefined) break;
    const news = untold();
    if (news === null && quietMs < patienceMs) continue;
    yield news ?? "waiting";
    quietMs = 0;
  }
  const last = untold();
  if (last !== null) yield last;
  yield { answer };
}

export interface Writing<T> {
  readonly search: (tell: (progress: Progress) => void) => Promise<Answer>;
  /** Looked at once more when there is an answer, before that is told. */
  readonly pulse?: Pulse<T> | undefined;
  readonly news: (progress: Progress | undefined, more: T | undefined) => string;
  readonly answer: (answer: Answer) => Iterable<object>;
  readonly patienceMs: number;
}

/**
 * The events' text. Returns when the first is known, so that what is wrong from the start is no stream.
 * @throws what the search throws before its first event
 */
export async function eventStream<T>(writing: Writing<T>): Promise<AsyncGenerator<string>> {
  const moments = momentsOf(writing);
  const first = await moments.next();
  async function* lines() {
    try {
      for (let next = first; !next.done; next = await moments.next()) {
        const moment = next.value;
        if (moment === "waiting") yield comment("searching");
        else if ("answer" in moment) for (const chunk of writing.answer(moment.answer)) yield event(chunk);
        else yield writing.news(moment.progress, moment.more);
      }
      yield "data: [DONE]\n\n";
    } catch (error) {
      yield event(apiErrorOf(error).body);
    }
  }
  return lines();
}

export function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

/** Clients ignore it. */
export function comment(text: string): string {
  return `: ${text}\n\n`;
}
