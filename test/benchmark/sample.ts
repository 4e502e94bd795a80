/** A benchmark to be shown. Owns: made-up numbers. Must not know: how they are shown. */
import { resultOf, type Benchmark, type MeasuredRound, type Settings } from "../../lib/benchmark/results.js";

export const settings: Settings = {
  ...{ branches: [1, 16], promptTokens: 512, lengthTokens: 16, stepTokens: 8, rounds: 2 },
  ...{ kvCells: 16_384, kvType: "f16" as const, threads: null, gpuLayers: 0 },
};

/** Two steps of `ms` and `ms + 1`, of which the models took half and a quarter. */
export function round(branches: number, ms: number, changes: Partial<MeasuredRound> = {}): MeasuredRound {
  const all = 2 * ms + 1;
  return {
    ...{ firstTokenMs: 10 * ms, stepMs: [ms, ms + 1], tokens: 16 * branches, decodes: 16, decodeMs: all / 2 },
    ...{ sampleMs: 0.5, planMs: 0.25, verifyMs: all / 4, verifierDecodes: 2, verifierTokens: 14 * branches },
    ...{ kvCellsPeak: 512 + 16 * branches, verifierKvCellsPeak: 510, recomputedTokens: 0, residentMib: 170.5 },
    ...changes,
  };
}

export function sample(changes: Partial<Benchmark> = {}): Benchmark {
  return {
    ...{ thinktree: "1.2.3", date: "2026-11-22", settings, residentPeakMib: 171.25 },
    machine: {
      cpu: "A CPU",
      cores: 8,
      memoryGib: 16,
      os: "Linux 6.8.0 x64",
      node: "v20.1.0",
      binary: "native",
      busyShare: 0.01,
    },
    models: {
      generator: { file: "g.gguf", bytes: 2 ** 20, parameters: 742_528, vocabulary: 416, positions: 1024 },
      verifier: { file: "v.gguf", bytes: 2 ** 21, parameters: 1_431_680, vocabulary: 416, positions: 1024 },
    },
    results: [1, 16].map((branches) => resultOf(branches, settings, [round(branches, 3), round(branches, 5)])),
    ...changes,
  };
}
