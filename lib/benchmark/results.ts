/**
 * What a benchmark has found, as plain JSON: the file that --json writes.
 *
 * Owns: the fields with their units, which are stable (fields may be added); how rounds become percentiles.
 * Must not know: how anything was measured, tables, pictures.
 */
import { max, median, min, quantileSorted, sum } from "simple-statistics";

import type { Machine } from "./machine.js";

/** Interpolated between neighbours. Of few samples p99 is about the largest. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface BenchmarkedModel {
  /** Without its folder; after " + ", its adapters'. */
  readonly file: string;
  readonly bytes: number;
  readonly parameters: number;
  /** Tokens. */
  readonly vocabulary: number;
  /** Tokens of prompt and solution at most. */
  readonly positions: number;
}

export interface Settings {
  readonly branches: readonly number[];
  readonly promptTokens: number;
  /** That each branch writes in a round. */
  readonly lengthTokens: number;
  /** That each branch writes in a step, the line break included. */
  readonly stepTokens: number;
  readonly rounds: number;
  /** Of each model's cache. */
  readonly kvCells: number;
  /** Null: by the engine's own rule. */
  readonly threads: number | null;
  /** Of the caches' numbers. */
  readonly kvType: "f16" | "q8_0";
  /** Null: all, if the build has a GPU. */
  readonly gpuLayers: number | null;
}

/** One number of branches, measured once. */
export interface Round {
  readonly firstTokenMs: number;
  /** Of each step in turn. */
  readonly stepMs: readonly number[];
  /** Written by all branches in all steps. */
  readonly tokens: number;
}

/** Where the time of all steps of one number of branches went. */
export interface Spent {
  /** The generator's. */
  readonly decodeMs: number;
  readonly decodes: number;
  readonly sampleMs: number;
  /** Forking, leasing, filling batches. */
  readonly planMs: number;
  /** All that the verifier takes. */
  readonly verifyMs: number;
  readonly verifierDecodes: number;
  readonly verifierTokens: number;
}

export interface Result extends Spent {
  readonly branches: number;
  /** From the prompt's text to the first token of all branches: over the rounds. */
  readonly firstTokenMs: Percentiles;
  /** Until all branches have written a step, and the verifier, if there is one, has scored it: over all steps. */
  readonly stepMs: Percentiles;
  /** The same a token of every branch: divided by `stepTokens`. */
  readonly tokenMs: Percentiles;
  /** Of all branches together, while they take steps: over the rounds. */
  readonly tokensPerSecond: Spread;
  /** Written in all rounds: branches x length x rounds, less what the end of a solution cut off. */
  readonly tokens: number;
  readonly tokensAsked: number;
  /** What is neither the generator's decode nor the verifier's work. */
  readonly hostMsPerDecode: number;
  /** Of the steps' time, in [0, 1]; null without a verifier. */
  readonly verifierShare: number | null;
  /** Cells in use at most. */
  readonly kvCellsPeak: number;
  readonly verifierKvCellsPeak: number;
  /** Decoded a second time because the cache was short: 0 unless the verifier cuts text into far more tokens. */
  readonly recomputedTokens: number;
  /** Of the whole process at the end of a step, at most; 1 MiB is 1,048,576 bytes. */
  readonly residentMib: number;
  readonly rounds: readonly Round[];
}

export interface Benchmark {
  /** The version. */
  readonly thinktree: string;
  /** Such as 2026-11-22. */
  readonly date: string;
  readonly machine: Machine;
  readonly models: { readonly generator: BenchmarkedModel; readonly verifier: BenchmarkedModel | null };
  readonly settings: Settings;
  /** Of the whole process from its start, loading included. */
  readonly residentPeakMib: number;
  /** By ascending number of branches. */
  readonly results: readonly Result[];
}

/** A round with what only sums tell of it. */
export interface MeasuredRound extends Round, Spent {
  readonly kvCellsPeak: number;
  readonly verifierKvCellsPeak: number;
  readonly recomputedTokens: number;
  readonly residentMib: number;
}

export function resultOf(branches: number, { lengthTokens, stepTokens }: Settings, measured: MeasuredRound[]): Result {
  const rounds = measured.map(({ firstTokenMs, stepMs, tokens }) => ({ firstTokenMs, stepMs, tokens }));
  const stepMs = rounds.flatMap((round) => round.stepMs);
  const total = (read: (round: MeasuredRound) => number) => sum(measured.map(read));
  const most = (read: (round: MeasuredRound) => number) => max(measured.map(read));
  const decodeMs = total((round) => round.decodeMs);
  const decodes = total((round) => round.decodes);
  const verifyMs = total((round) => round.verifyMs);
  const verifierDecodes = total((round) => round.verifierDecodes);
  const allMs = sum(stepMs);
  return {
    branches,
    firstTokenMs: percentilesOf(rounds.map(({ firstTokenMs }) => firstTokenMs)),
    stepMs: percentilesOf(stepMs),
    tokenMs: percentilesOf(stepMs.map((ms) => ms / stepTokens)),
    tokensPerSecond: spreadOf(rounds.map(({ tokens, stepMs }) => (1_000 * tokens) / sum(stepMs))),
    tokens: total(({ tokens }) => tokens),
    tokensAsked: branches * lengthTokens * rounds.length,
    hostMsPerDecode: (allMs - decodeMs - verifyMs) / decodes,
    verifierShare: verifierDecodes === 0 ? null : verifyMs / allMs,
    kvCellsPeak: most((round) => round.kvCellsPeak),
    verifierKvCellsPeak: most((round) => round.verifierKvCellsPeak),
    recomputedTokens: total((round) => round.recomputedTokens),
    residentMib: most((round) => round.residentMib),
    ...{ decodeMs, decodes, verifyMs, verifierDecodes },
    sampleMs: total((round) => round.sampleMs),
    planMs: total((round) => round.planMs),
    verifierTokens: total((round) => round.verifierTokens),
    rounds,
  };
}

function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => quantileSorted(sorted, share);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: min(values), most: max(values) };
}
