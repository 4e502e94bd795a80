/**
 * thinktree against node-llama-cpp: B continuations of one prompt.
 *
 * Owns: the rounds, their order, the tables. Must not know: how a contender does the work.
 */
import { cpus } from "node:os";

import { textOf } from "./gguf/vocabulary.js";
import { randomModel } from "./gguf/random-model.js";
import { shapes, type ShapeName } from "./gguf/shapes.js";
import type { WeightType } from "./gguf/weights.js";
import { inChild } from "./support/child.js";
import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { median } from "./support/statistics.js";
import { number, print, spread } from "./support/table.js";
import type { DecodeResult, DecodeWork } from "./contenders/work.js";

export interface DecodeOptions {
  readonly shape: ShapeName;
  readonly type: WeightType;
  readonly branches: readonly number[];
  readonly samplers: readonly SamplerName[];
  readonly prompt: number;
  readonly length: number;
  readonly rounds: number;
  readonly threads?: number | undefined;
  /** How node-llama-cpp shares the prompt; more than one way: one row each. The first is compared with. */
  readonly prefix: readonly NonNullable<DecodeWork["prefix"]>[];
  readonly save?: string | undefined;
}

export type SamplerName = keyof typeof samplers;
const samplers = {
  plain: { temperature: 0.8, topK: 0, topP: 1, minP: 0 },
  truncated: { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 },
} as const;
export const samplerNames = Object.keys(samplers) as readonly SamplerName[];
export const prefixWays = ["copy", "file", "evaluate"] as const satisfies readonly DecodeWork["prefix"][];

interface Contender {
  readonly name: string;
  readonly module: URL;
  readonly prefix?: DecodeWork["prefix"];
}

interface Measured {
  readonly contender: string;
  readonly sampler: SamplerName;
  readonly branches: number;
  readonly rounds: DecodeResult[];
}

const moduleOf = (name: string) => new URL(`./contenders/${name}.js`, import.meta.url);

export async function decode(options: DecodeOptions): Promise<void> {
  await warnIfBusy();
  const { shape, type, prompt, length, rounds, threads = cpus().length } = options;
  const model = await randomModel({ shape: shapes[shape], type });
  const contenders: Contender[] = [
    { name: "thinktree", module: moduleOf("thinktree") },
    ...options.prefix.map((prefix) => ({
      name: prefix === options.prefix[0] ? "node-llama-cpp" : `node-llama-cpp (${prefix})`,
      module: moduleOf("node-llama-cpp"),
      prefix,
    })),
  ];
  const results: Measured[] = [];
  for (const sampler of options.samplers) {
    for (const branches of options.branches) {
      const measured = contenders.map(({ name }) => ({
        contender: name,
        sampler,
        branches,
        rounds: [] as DecodeResult[],
      }));
      for (let round = 0; round < rounds; round++) {
        for (const [i, { module, prefix }] of contenders.entries()) {
          const work: DecodeWork = {
            ...{ model, prompt: textOf(prompt), promptTokens: prompt, branches, length, threads, prefix },
            ...{ sampler: samplers[sampler], seed: 1 + round },
          };
          const result = await inChild<DecodeResult>(module, work);
          if (result.generatedTokens !== branches * length) {
            throw new Error(`${contenders[i]!.name} wrote ${result.generatedTokens} tokens, not ${branches * length}`);
          }
          measured[i]!.rounds.push(result);
        }
      }
      results.push(...measured);
      const title = `${shape} ${type}, prompt ${prompt}, ${branches} x ${length} tokens, sampler ${sampler}`;
      print(comparison(`${title}: median (min-max) of ${rounds}`, measured));
    }
  }
  print(breakdown(results));
  if (options.save !== undefined) console.log(`\nSaved ${saveResults(options.save, { options, results })}`);
}

function comparison(title: string, measured: readonly Measured[]) {
  const [ours] = measured;
  const rows = measured.map(({ contender, rounds }) => {
    const column = (read: (result: DecodeResult) => number) => spread(rounds.map(read));
    // Round by round: both ran within the same minute.
    const ratios = rounds.map((round, i) => perSecond(ours!.rounds[i]!) / perSecond(round));
    return [
      contender,
      column(perSecond),
      column((r) => (1000 * r.generatedTokens) / (r.totalMs - r.prefillMs)),
      column((r) => r.prefillMs),
      column((r) => r.firstTokenMs),
      column((r) => r.peakRssMb),
      column((r) => r.loopDelay.p50),
      column((r) => r.loopDelay.p99),
      column((r) => r.loopDelay.max),
      contender === ours!.contender ? "" : `${spread(ratios)}x`,
    ];
  });
  const columns = ["", "tokens/s", "decode only", "prefill ms", "first token ms", "peak MB"];
  return { title, columns: [...columns, "loop p50 ms", "p99", "max", "thinktree is faster"], rows };
}

/** Where thinktree's scheduler spent its time: milliseconds, medians. */
function breakdown(results: readonly Measured[]) {
  const rows = results.flatMap(({ sampler, branches, rounds }) => {
    const stats = rounds.flatMap((round) => round.stats ?? []);
    if (stats.length === 0) return [];
    const middle = (name: keyof (typeof stats)[number]) => number(median(stats.map((s) => s[name])));
    const parts = [
      "prefillMs",
      "decodeMs",
      "sampleMs",
      "planMs",
      "verifyMs",
      "idleMs",
      "decodes",
      "decodedTokens",
    ] as const;
    return [[`${branches} branches, ${sampler}`, ...parts.map(middle)]];
  });
  const columns = ["", "prefill ms", "decode", "sample", "plan (fork)", "verify", "idle", "decodes", "decoded tokens"];
  return { title: "thinktree's scheduler: where the time went", columns, rows };
}

function perSecond({ generatedTokens, totalMs }: DecodeResult): number {
  return (1000 * generatedTokens) / totalMs;
}
