/**
 * A question to the server, and what it streams back.
 *
 * Owns: the request, the reading of server-sent events, what can go wrong on the way.
 * Must not know: the document.
 *
 * EventSource cannot send a question, and a library would be one more file for thirty lines: of the events' format, the
 * server sends nothing but comments and lines of data.
 */
import type { TreeNews } from "../../report/recording.js";

export interface Asked {
  readonly question: string;
  /** Empty: compute-optimal. */
  readonly strategy: string;
  readonly generations: number;
  /** Empty: none. */
  readonly key: string;
}

/** What a search has cost, by the ledger's names. */
export interface Cost {
  readonly generatedTokens: number;
  readonly promptTokens: number;
  readonly verifierPromptTokens: number;
  readonly verifierTokens: number;
  readonly milliseconds: number;
}

export interface Progress extends Cost {
  readonly round: number;
  readonly live: number;
  readonly finished: number;
  readonly bestScore: number | null;
}

/** Of what `thinktree solve --json` prints, what the page shows. */
export interface Found {
  readonly answer: string | null;
  readonly text: string;
  readonly steps: readonly { readonly text: string; readonly score: number | null }[];
  readonly candidates: readonly { readonly answer: string | null }[];
  readonly decision: Decision | null;
  readonly finishReason: "complete" | "budget" | "deadline" | "stopped";
  readonly ledger: Cost;
}

export interface Decision {
  readonly estimate: "score" | "agreement" | "question";
  readonly difficulty: number | null;
  readonly bin: number | null;
  readonly stopped: "agreement" | "share" | null;
  readonly rounds: readonly { readonly strategy: string; readonly generations: number }[];
}

/** What one event tells. */
export interface Told {
  readonly progress?: Progress;
  readonly tree?: TreeNews;
  readonly found?: Found;
}

interface Refusal {
  /** HTTP's; 0: the connection failed. */
  readonly status: number;
  readonly message: string;
  readonly code: string | null;
  /** Seconds; null: it was not said. */
  readonly retryAfter: number | null;
}

export class AskError extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

const lost: Refusal = { status: 0, message: "the connection was lost", code: null, retryAfter: null };

/** @throws {AskError} the server refuses, fails or is gone; what `fetch` throws when the signal fires */
export async function* ask(asked: Asked, signal: AbortSignal): AsyncGenerator<Told> {
  const { question, strategy, generations, key } = asked;
  const body = {
    model: strategy === "" ? "thinktree" : `thinktree-${strategy}`,
    messages: [{ role: "user", content: question }],
    stream: true,
    thinktree: { tree: true, budget: { generations } },
  };
  const headers = { "content-type": "application/json", ...(key !== "" && { authorization: `Bearer ${key}` }) };
  const response = await fetch("v1/chat/completions", {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    signal,
  }).catch(isLost(signal));
  if (!response.ok || response.body === null) throw new AskError(await refusalOf(response));
  for await (const data of eventsOf(response.body, signal)) {
    if (data === "[DONE]") return;
    const { error, thinktree } = JSON.parse(data) as Chunk;
    if (error) throw new AskError({ ...lost, status: 500, ...error });
    if (thinktree) yield "ledger" in thinktree ? { found: thinktree } : thinktree;
  }
  throw new AskError(lost);
}

interface Chunk {
  readonly error?: { readonly message: string; readonly code: string | null };
  readonly thinktree?: Found | Omit<Told, "found">;
}

async function* eventsOf(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(isLost(signal));
      if (done) return;
      const events = (text + decoder.decode(value, { stream: true })).split("\n\n");
      text = events.pop()!;
      for (const event of events) if (event.startsWith("data: ")) yield event.slice("data: ".length);
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function isLost(signal: AbortSignal) {
  return (error: unknown): never => {
    throw signal.aborted ? error : new AskError(lost);
  };
}

async function refusalOf(response: Response): Promise<Refusal> {
  const { status, headers } = response;
  const wait = headers.get("retry-after");
  const retryAfter = wait !== null && /^\d+$/.test(wait) ? Number(wait) : null;
  const told = (await response.json().catch(() => ({}))) as Partial<Chunk>; // something between may answer in words of its own
  const { message = `the server answered ${status}`, code = null } = told.error ?? {};
  return { status, message, code, retryAfter };
}
