/**
 * The one error class of the library.
 *
 * Owns: the codes a program may branch on. Those of native/base/error.h are the same words.
 * Must not know: who throws them.
 */

/** What went wrong. Codes are stable; messages are for people and may change. */
export type ErrorCode =
  /** The search was cancelled while the operation was under way. */
  | "CANCELLED"
  /** The engine was closed before or during the operation, or its process could not be kept alive. */
  | "ENGINE_CLOSED"
  /** The isolated engine's process ended in the middle of it, twice. */
  | "ENGINE_CRASHED"
  /** The isolated engine showed no sign of life for `hangMilliseconds` in the middle of it, twice. */
  | "ENGINE_HUNG"
  /** The model file is missing, truncated or refused. */
  | "MODEL_LOAD_FAILED"
  /** A model of the hub is not there, cannot be reached or came damaged. */
  | "DOWNLOAD_FAILED"
  /** The queue's Redis is not there, or was lost; or a unit's workers vanish again and again. */
  | "QUEUE_FAILED"
  /** A remote server cannot be reached, refuses the key or the model, fails again and again, or does not speak OpenAI's API. */
  | "REMOTE_FAILED"
  /** The model loads, but its memory cannot be forked at an earlier position. */
  | "UNSUPPORTED_MODEL"
  /** The prompt leaves no room for a solution. */
  | "CONTEXT_EXCEEDED"
  | "EMPTY_PROMPT"
  /** Scores were asked for and no verifier is loaded. */
  | "NO_VERIFIER"
  /** The branch was released, or never made. */
  | "BRANCH_RELEASED"
  /** An option is missing, of the wrong kind or out of range. */
  | "INVALID_OPTION"
  /** The search's budget or deadline has ended it, and there is nothing to answer with. */
  | "EXHAUSTED"
  /** The backend refused or failed the batch. */
  | "DECODE_FAILED"
  /** The model's logits are not numbers: broken weights. */
  | "BAD_LOGITS"
  /** No binary of the addon is there for this machine, or it cannot be loaded. */
  | "NO_BINARY"
  | "INTERNAL";

// Registered globally, so that the errors of two copies of this package (ESM and CJS, two versions) recognise each other.
const mark = Symbol.for("thinktree.error");

export class ThinkTreeError extends Error {
  override readonly name: string = "ThinkTreeError";
  readonly code: ErrorCode;
  readonly [mark] = true;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Like `instanceof`, but true as well for errors of another copy of this package. */
  static isInstance(error: unknown): error is ThinkTreeError {
    return typeof error === "object" && error !== null && mark in error;
  }
}

/** What `parseOptions` needs of a zod schema; this file does not depend on zod. */
interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly Issue[] } };
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** As `parseOptions`, of something that has a name of its own: `what` goes before the line. @throws {ThinkTreeError} INVALID_OPTION */
export function parseNamed<T>(schema: Schema<T>, value: unknown, what: string): T {
  try {
    return parseOptions(schema, value);
  } catch (cause) {
    throw new ThinkTreeError("INVALID_OPTION", `${what}: ${(cause as Error).message}`, { cause });
  }
}

/** Checks options against a schema. @throws {ThinkTreeError} INVALID_OPTION: one line that names every bad option. */
export function parseOptions<T>(schema: Schema<T>, options: unknown): T {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const line = result.error.issues.map(({ path, message }) => `${path.map(String).join(".") || "options"}: ${message}`);
  throw new ThinkTreeError("INVALID_OPTION", line.join("; "));
}
