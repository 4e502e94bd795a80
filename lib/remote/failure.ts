/**
 * What goes wrong between here and a server.
 *
 * Owns: which failures may pass if the request is made again, and the words for those that do not.
 * Must not know: what was asked.
 */
import { errors } from "undici";

import { ThinkTreeError, type ErrorCode } from "../errors.js";

export class RemoteFailure extends ThinkTreeError {
  /** `again`: the same request may do better, after so many milliseconds if the server says when. */
  constructor(
    code: ErrorCode,
    message: string,
    readonly again: { readonly afterMs?: number | undefined } | null,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
  }
}

/** Too many requests, and what stands before a server that is starting, full or gone for a moment. */
const passing: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/** An answer that is an error. `text`: its body. */
export function refusal(address: string, status: number, headers: Headers, text: string): RemoteFailure {
  const said = messageOf(text);
  const line = `${address} answered ${status}${said && `: ${said}`}`;
  if (passing.has(status)) return new RemoteFailure("REMOTE_FAILED", line, { afterMs: waitOf(headers["retry-after"]) });
  if (status === 401 || status === 403) {
    const mend = "give its key as apiKey (on the command line, THINKTREE_REMOTE_KEY)";
    return new RemoteFailure("REMOTE_FAILED", `${line}: ${mend}`, null);
  }
  if (status === 404) {
    const mend = "name a model that it serves, and its address without /v1/completions";
    return new RemoteFailure("REMOTE_FAILED", `${line}: ${mend}`, null);
  }
  if (status < 500 && /exceed_context_size|context (length|size|window)|maximum context|max_model_len/i.test(text)) {
    const mend = "shorten the question, or serve the model with a longer context";
    return new RemoteFailure("CONTEXT_EXCEEDED", `${line}: ${mend}`, null);
  }
  return new RemoteFailure("REMOTE_FAILED", line, null);
}

/** No answer, or half of one. */
export function breakdown(address: string, cause: unknown): RemoteFailure {
  if (cause instanceof RemoteFailure) return cause;
  const silent = cause instanceof errors.HeadersTimeoutError || cause instanceof errors.BodyTimeoutError;
  const why = silent ? "it was silent for timeoutMilliseconds" : wordsOf(cause);
  return new RemoteFailure("REMOTE_FAILED", `the connection with ${address} failed: ${why}`, {}, { cause });
}

/** What is not as OpenAI's API has it will not be so next time. */
export function nonsense(address: string, what: string, cause?: unknown): RemoteFailure {
  const mend = "is it the address of a server with OpenAI's completions API?";
  return new RemoteFailure("REMOTE_FAILED", `${address} ${what}: ${mend}`, null, { cause });
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Of a Retry-After: seconds, or a date. */
function waitOf(header: string | string[] | undefined): number | undefined {
  const text = [header].flat()[0];
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? 1000 * Number(text) : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

const longestMessage = 300;

/** OpenAI's {"error": {"message"}}, FastAPI's {"detail"}, or the body itself. */
function messageOf(text: string): string {
  let said = text;
  try {
    const body = JSON.parse(text) as { error?: { message?: unknown }; message?: unknown; detail?: unknown };
    const words = body.error?.message ?? body.message ?? body.detail ?? body.error;
    said = typeof words === "string" ? words : JSON.stringify(words ?? body);
  } catch {
    // no JSON
  }
  return said.replace(/\s+/g, " ").trim().slice(0, longestMessage);
}

function wordsOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message !== undefined && message !== "" ? message : (code ?? String(error));
}
