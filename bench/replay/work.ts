/**
 * The work that every contender of `replay` does, and what it tells of it.
 *
 * Owns: the two shapes, and the texts that are the same for all. Must not know: any contender.
 */
import type { RecordedTree } from "./recorded-tree.js";

export interface ReplayWork {
  readonly tree: RecordedTree;
  readonly generator: string;
  /** Only for a tree that is verified. */
  readonly verifier?: string | undefined;
  readonly threads: number;
  /** One of the contender's own ways to do it. */
  readonly way: string;
}

export interface ReplayResult {
  /** From the prompt's text to the last score, or to the last token. The models are loaded before. */
  readonly totalMs: number;
  /** Of all processors together, and of all processes: what a machine that others use cannot spoil as easily. */
  readonly cpuMs: number;
  readonly generatedTokens: number;
  readonly peakRssMb: number;
  /** Tokens that a rival decoded again, or that thinktree did not need to: in words. */
  readonly remark?: string;
}

/** Tokens of the random models' vocabulary. A verifier's score is the share of `positive` after the tag. */
export const tag = { tag: "?", positive: "+", negative: "-" } as const;

/** Draws are alike for all who sample: as cheap for each as its samplers allow. */
export const temperature = 0.8;

/** Of this process, all threads together. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Peak resident memory of this process. */
export function peakRssMb(): number {
  return process.resourceUsage().maxRSS / 1024;
}
