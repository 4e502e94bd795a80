/**
 * What goes wrong, as a line for people and an exit code for programs.
 *
 * Owns: the exit codes of errors (an interruption brings its own); the flags' names for the library's options.
 * Must not know: what was attempted.
 */
import { CommanderError } from "commander";

import { ThinkTreeError, type ErrorCode } from "../errors.js";
import { Interrupted } from "./interruption.js";
import { harmless } from "./paper.js";

export interface Failure {
  /** One line; empty if everything is said already. */
  readonly line: string;
  readonly exitCode: number;
  /** What to do about an error that is not the caller's. */
  readonly hint?: string;
}

const exitCodes = { unexpected: 1, usage: 2 } as const;

/** The caller can mend these: another flag, another file, another question. */
const mendable: ReadonlySet<ErrorCode> = new Set([
  "BAD_LOGITS",
  "CONTEXT_EXCEEDED",
  "DOWNLOAD_FAILED",
  "EMPTY_PROMPT",
  "INVALID_OPTION",
  "MODEL_LOAD_FAILED",
  "NO_BINARY",
  "NO_VERIFIER",
  "QUEUE_FAILED",
  "REMOTE_FAILED",
  "UNSUPPORTED_MODEL",
]);

export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) {
    // Help or version, asked for and printed.
    if (error.exitCode === 0) return { line: "", exitCode: 0 };
    const hint = error.code === "commander.excessArguments" ? " Put the question in quotes." : "";
    return { line: oneLine(error.message.replace(/^error: /, "") + hint), exitCode: exitCodes.usage };
  }
  if (error instanceof Interrupted) return { line: oneLine(error.message), exitCode: error.exitCode };
  if (ThinkTreeError.isInstance(error) && mendable.has(error.code)) {
    return { line: oneLine(withFlags(error.message)), exitCode: exitCodes.usage };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    line: `unexpected error: ${oneLine(message)}`,
    exitCode: exitCodes.unexpected,
    hint: "set THINKTREE_DEBUG=1 to see where it comes from",
  };
}

/** The library speaks of beamWidth, the command line of --beam-width. */
function withFlags(message: string): string {
  return message.replace(
    /\b(beamWidth|workAhead|topK|topP|minP|kvCells|kvMib|kvType)\b/g,
    (name) => `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`,
  );
}

function oneLine(message: string): string {
  return harmless(message.trim().replace(/\s*\n\s*/g, " "));
}
