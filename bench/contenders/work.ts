/**
 * The work that every contender of `decode` does, and what it tells of it.
 *
 * Owns: the two shapes. Must not know: any contender.
 */
import type { EngineStats, SamplerOptions } from "thinktree";

import type { LoopDelay } from "../support/loop-delay.js";

export interface DecodeWork {
  readonly model: string;
  /** Of exactly `promptTokens` tokens. */
  readonly prompt: string;
  readonly promptTokens: number;
  /** Continuations of the one prompt. */
  readonly branches: number;
  /** Tokens of each continuation. */
  readonly length: number;
  readonly sampler: SamplerOptions;
  readonly threads: number;
  readonly seed: number;
  /** node-llama-cpp only: how the prompt gets into B sequences. */
  readonly prefix?: "copy" | "file" | "evaluate" | undefined;
}

export interface DecodeResult {
  /** From the prompt's text to the last token of the last branch. */
  readonly totalMs: number;
  /** Of that, the time until every branch could sample its first token. */
  readonly prefillMs: number;
  /** From the prompt's text to the first token of any branch. */
  readonly firstTokenMs: number;
  readonly generatedTokens: number;
  readonly peakRssMb: number;
  readonly loopDelay: LoopDelay;
  /** thinktree only: where the scheduler's time went. */
  readonly stats?: EngineStats;
}

export function peakRssMb(): number {
  return process.resourceUsage().maxRSS / 1024;
}
