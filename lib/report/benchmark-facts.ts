/**
 * What a benchmark's figures depend on, in words; the same on paper, page and picture.
 *
 * Owns: these words. Must not know: how they are laid out.
 */
import { busyWarning } from "../benchmark/machine-load.js";
import type { Benchmark, BenchmarkedModel, Result } from "../benchmark/results.js";
import { significant } from "./numbers.js";

export function benchmarkFacts({ thinktree, date, machine, models, settings, residentPeakMib }: Benchmark) {
  const { cpu, cores, memoryGib, os, node, binary } = machine;
  const { promptTokens, lengthTokens, stepTokens, rounds, kvCells, kvType, threads } = settings;
  const prompt = `${counted(promptTokens)} tokens of prompt`;
  return [
    { name: "machine", value: `${cores} x ${cpu}, ${memoryGib} GiB` },
    { name: "system", value: `${os}, Node ${node}, thinktree ${thinktree} (${binary}), ${date}` },
    { name: "generator", value: modelView(models.generator) },
    { name: "verifier", value: models.verifier === null ? "none" : modelView(models.verifier) },
    {
      name: "work",
      value: `${prompt}, ${counted(lengthTokens)} a branch in steps of ${stepTokens}, ${plural(rounds, "round")}`,
    },
    { name: "threads", value: threads === null ? "the engine's choice" : String(threads) },
    { name: "memory", value: `${counted(residentPeakMib)} MiB at peak, caches of ${counted(kvCells)} ${kvType} cells` },
  ];
}

/** What a reader of the figures would else take for something else. */
export function benchmarkNotes({ machine: { busyShare }, results }: Benchmark): string[] {
  const sum = (read: (result: Result) => number) => results.reduce((total, result) => total + read(result), 0);
  const cut = sum(({ tokens, tokensAsked }) => tokensAsked - tokens) / sum(({ tokensAsked }) => tokensAsked);
  const again = sum(({ recomputedTokens }) => recomputedTokens);
  const busy = busyWarning(busyShare);
  return [
    ...(busy === undefined ? [] : [`When it began: ${busy}.`]),
    ...(cut > 0
      ? [`The model drew its end token now and then: ${(100 * cut).toFixed(1)}% of the tokens were not written.`]
      : []),
    ...(again > 0
      ? [`${counted(again)} tokens were computed again, for the cache was short: give it more cells.`]
      : []),
  ];
}

function modelView({ file, bytes, parameters }: BenchmarkedModel): string {
  return `${file}, ${significant(bytes / 2 ** 20)} MiB, ${significant(parameters / 1e6)} M parameters`;
}

/** 1 round, 3 rounds. */
export function plural(count: number, what: string): string {
  return `${counted(count)} ${what}${count === 1 ? "" : what.endsWith("ch") ? "es" : "s"}`;
}

function counted(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
