/**
 * A search as server-sent events.
 *
 * Owns: the order progress, answer, end; comments that keep a connection alive. Where the reader is slow, older progress gives
 * way to newer, so that nothing piles up.
 * Must not know: HTTP, what chunks look like.
 */
import { setTimeout } from "node:timers/promises";

import type { Answer, Progress } from "../scheduler/solve-options.js";
import { apiErrorOf } from "./api-error.js";

type Moment = { readonly progress: Progress } | { readonly answer: Answer } | "waiting";

/** What happens in a search, one after the other; "waiting" after every so many milliseconds without. */
async function* momentsOf(
  search: (tell: (progress: Progress) => void) => Promise<Answer>,
  patienceMs: number,
): AsyncGenerator<Moment, void> {
  let [latest, answer]: [Progress | undefined, Answer | undefined] = [undefined, undefined];
  let ring: () => void = () => undefined;
  const ended = search((progress) => {
    latest = progress;
    ring();
  }).then((found) => {
    answer = found;
  });
  ended.catch(() => undefined); // it is awaited, unless nobody reads on
  while (answer === undefined) {
    if (latest === undefined) {
      const rung = new Promise<void>((resolve) => (ring = resolve));
      const patience = new AbortController();
      const bored = setTimeout(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined);
      try {
        await Promise.race([ended, rung, bored]);
      } finally {
        patience.abort();
      }
    }
    const [progress] = [latest];
    latest = undefined;
    if (progress !== undefined) yield { progress };
    else if (answer === undefined) yield "waiting";
  }
  yield { answer };
}

export interface Writing {
  readonly search: (tell: (progress: Progress) => void) => Promise<Answer>;
  readonly progress: (progress: Progress) => string;
  readonly answer: (answer: Answer) => Iterable<object>;
  readonly patienceMs: number;
}

/**
 * The events' text. Returns when the first is known, so that what is wrong from the start is no stream.
 * @throws what the search throws before its first event
 */
export async function eventStream({ search, progress, answer, patienceMs }: Writing): Promise<AsyncGenerator<string>> {
  const moments = momentsOf(search, patienceMs);
  const first = await moments.next();
  async function* lines() {
    try {
      for (let next = first; !next.done; next = await moments.next()) {
        const moment = next.value;
        if (moment === "waiting") yield comment("searching");
        else if ("progress" in moment) yield progress(moment.progress);
        else for (const chunk of answer(moment.answer)) yield event(chunk);
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
