/**
 * A benchmark of loaded models: every number of branches in turn, and all of that again.
 *
 * Owns: the order, the warm-up, what fits the models.
 * Must not know: what is timed in a round, files, terminals.
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";

import { ThinkTreeError } from "../errors.js";
import type { ModelInfo } from "../engine/addon.js";
import type { EngineCore } from "../engine/engine-core.js";
import type { ModelFile } from "../engine/options.js";
import { Countdown, type Progress } from "./countdown.js";
import { machineOf } from "./machine.js";
import { resultOf, type Benchmark, type BenchmarkedModel, type MeasuredRound, type Settings } from "./results.js";
import { measureRound } from "./round.js";
import { workloadOf } from "./workload.js";

export interface BenchmarkOptions {
  /** `lengthTokens` is a multiple of `stepTokens`; `branches` ascend. */
  readonly settings: Settings;
  readonly version: string;
  readonly date: string;
  readonly busyShare: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** @throws {ThinkTreeError} INVALID_OPTION, CONTEXT_EXCEEDED, CANCELLED, DECODE_FAILED, BAD_LOGITS */
export async function benchmark(core: EngineCore, options: BenchmarkOptions): Promise<Benchmark> {
  const { settings, signal, onProgress = () => undefined } = options;
  const { branches, lengthTokens, stepTokens, rounds } = settings;
  checkContext(core.models.generator, settings);
  const work = await workloadOf(core, settings.promptTokens, stepTokens);
  const measure = (count: number, steps: number, seed: number, onStep: () => void) =>
    measureRound(core, work, { branches: count, steps, seed, signal, onStep });

  // What is read from disk for the first time, or allocated for so many rows, is no latency.
  await measure(Math.max(...branches), 1, 0, () => undefined);

  const steps = lengthTokens / stepTokens;
  const countdown = new Countdown(branches, rounds, steps + 1, onProgress);
  const measured = branches.map((): MeasuredRound[] => []);
  for (let round = 1; round <= rounds; round++) {
    for (const [i, count] of branches.entries()) {
      measured[i]!.push(await countdown.during((part) => measure(count, steps, round, part)));
    }
  }
  return {
    ...{ thinktree: options.version, date: options.date, machine: machineOf(options.busyShare) },
    models: await modelsOf(core),
    settings: { ...settings, promptTokens: work.promptTokens },
    residentPeakMib: process.resourceUsage().maxRSS / 2 ** 10,
    results: branches.map((count, i) => resultOf(count, settings, measured[i]!)),
  };
}

function checkContext({ positions }: ModelInfo, { promptTokens, lengthTokens }: Settings): void {
  const needed = promptTokens + lengthTokens;
  if (needed <= positions) return;
  throw new ThinkTreeError(
    "CONTEXT_EXCEEDED",
    `a prompt of ${promptTokens} tokens and ${lengthTokens} more need ${needed}, the model holds ${positions}: ask for fewer`,
  );
}

async function modelsOf({ files, models }: EngineCore): Promise<Benchmark["models"]> {
  const describe = async (info: ModelInfo, model: ModelFile | null | undefined): Promise<BenchmarkedModel> => {
    const { parameters, vocabulary, positions } = info;
    const paths = model == null ? [] : [model.path, ...model.adapters.map(({ path }) => path)];
    const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
    const file = paths.map((path) => basename(path)).join(" + ") || "fake";
    return { file, bytes: sizes.reduce((sum, size) => sum + size, 0), parameters, vocabulary, positions };
  };
  const { generator, verifier } = models;
  return {
    generator: await describe(generator, files.generator),
    verifier: verifier === undefined ? null : await describe(verifier, files.verifier),
  };
}
