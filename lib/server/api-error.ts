/**
 * What goes wrong, as OpenAI's clients read it.
 *
 * Owns: status codes, error types and the parameter that is to blame.
 * Must not know: HTTP frameworks, who throws.
 */
import type { z } from "zod";

import { ThinkTreeError, type ErrorCode } from "../errors.js";

interface Details {
  readonly code?: string;
  /** The request's field that is to blame: messages[0].content. */
  readonly param?: string;
  /** Seconds after which to try again. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

export class ApiError extends Error {
  readonly code: string | null;
  readonly param: string | null;
  readonly retryAfter: number | undefined;

  constructor(
    readonly statusCode: number,
    message: string,
    { code, param, retryAfter, cause }: Details = {},
  ) {
    super(message, { cause });
    this.code = code ?? null;
    this.param = param ?? null;
    this.retryAfter = retryAfter;
  }

  get body() {
    const { code, param, message } = this;
    return { error: { message, type: typeOf(this.statusCode), param, code } };
  }
}

/** No client reads it: for the log and the metrics. */
const clientGone = 499;

export function gone(): ApiError {
  return new ApiError(clientGone, "the client has gone", { code: "cancelled" });
}

function typeOf(statusCode: number): string {
  if (statusCode === 401) return "authentication_error";
  if (statusCode === 429) return "rate_limit_error";
  return statusCode < 500 ? "invalid_request_error" : "server_error";
}

/** A retry may find another engine behind the same address. */
const afterRestart = 5;

const known: Partial<Record<ErrorCode, readonly [statusCode: number, details: Details]>> = {
  INVALID_OPTION: [400, {}],
  EMPTY_PROMPT: [400, { code: "empty_prompt" }],
  CONTEXT_EXCEEDED: [400, { code: "context_length_exceeded" }],
  NO_VERIFIER: [400, { code: "no_verifier", param: "model" }],
  CANCELLED: [clientGone, { code: "cancelled" }],
  EXHAUSTED: [504, { code: "exhausted" }],
  REMOTE_FAILED: [502, { code: "remote_failed" }],
  ENGINE_CLOSED: [503, { code: "engine_closed", retryAfter: afterRestart }],
};

/** `asked` names the field that holds the question. What is unexpected is told in no detail. */
export function apiErrorOf(error: unknown, asked?: string): ApiError {
  if (error instanceof ApiError) return error;
  if (ThinkTreeError.isInstance(error)) {
    const [statusCode, details] = known[error.code] ?? [500, { code: error.code.toLowerCase() }];
    const param = ["EMPTY_PROMPT", "CONTEXT_EXCEEDED"].includes(error.code) ? asked : undefined;
    return new ApiError(statusCode, error.message, { ...details, ...(param && { param }), cause: error });
  }
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  // The framework's own: malformed JSON, a body too large, an unknown media type.
  if (statusCode !== undefined && statusCode < 500) return new ApiError(statusCode, message ?? "", { cause: error });
  return new ApiError(500, "the server met an unexpected error; its log says more", { cause: error });
}

export function invalidRequest(issues: readonly z.core.$ZodIssue[]): ApiError {
  const { path, message, code, ...rest } = deepest(issues);
  const [unknown] = "keys" in rest ? rest.keys : [];
  const param = unknown === undefined ? path : [...path, unknown];
  const words = unknown === undefined ? message : "there is no such parameter";
  const name = param
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
  return new ApiError(400, name === "" ? words : `${name}: ${words}`, {
    code: unknown === undefined ? code : "unknown_parameter",
    ...(name !== "" && { param: name }),
  });
}

/** Of alternatives that all fail, what one misses furthest inside says most. */
function deepest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue {
  const first = issues[0]!;
  if (first.code !== "invalid_union" || first.errors.length === 0) return first;
  const inner = first.errors.filter((some) => some.length > 0).map(deepest);
  const best = inner.sort((a, b) => b.path.length - a.path.length)[0];
  if (best === undefined || best.path.length === 0) return first;
  return { ...best, path: [...first.path, ...best.path] };
}
