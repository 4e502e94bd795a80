/**
 * The same search tree on every engine.
 *
 * Owns: the rounds, their order, the tables. Must not know: how a contender does the work.
 */
import { cpus } from "node:os";

import type { ShapeName } from "./gguf/shapes.js";
import { modelsOf } from "./replay/models.js";
import { bestOfTree, readTree, tokensOf, type RecordedTree } from "./replay/recorded-tree.js";
import type { ReplayResult, ReplayWork } from "./replay/work.js";
import { inChild } from "./support/child.js";
import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { number, print, spread } from "./support/table.js";

export interface ReplayOptions {
  readonly trees: readonly string[];
  readonly contenders: readonly ContenderName[];
  /** Every way that each contender has, not those alone that may be its fastest. */
  readonly allWays?: boolean | undefined;
  /** For best-of-N. */
  readonly shape: ShapeName;
  readonly prompt: number;
  readonly length: number;
  readonly rounds: number;
  readonly threads?: number | undefined;
  readonly save?: string | undefined;
}

/** Each in a process of its own. Which of the usual ways is the fastest depends on the tree: see README.md. */
const contenders = {
  thinktree: { module: new URL("./replay/thinktree.js", import.meta.url), usual: [""], others: [] },
  "llama-decode": {
    module: new URL("./replay/llama-decode.js", import.meta.url),
    usual: ["unified plain 64", "unified flash 64"],
    others: ["unified flash 63", "streams plain 64", "streams flash 64"],
  },
  "llama-server": {
    module: new URL("./replay/llama-server.js", import.meta.url),
    usual: ["families unified plain", "families unified flash"],
    others: ["families streams plain", "branches unified plain", "branches streams plain"],
  },
  "node-llama-cpp": {
    module: new URL("./replay/node-llama-cpp.js", import.meta.url),
    usual: ["copy plain"],
    others: ["copy flash", "evaluate plain"],
  },
} as const satisfies Record<string, { module: URL; usual: readonly string[]; others: readonly string[] }>;
export type ContenderName = keyof typeof contenders;
export const contenderNames = Object.keys(contenders) as readonly ContenderName[];

interface Measured {
  readonly contender: ContenderName;
  readonly way: string;
  readonly rounds: ReplayResult[];
}

export async function replay(options: ReplayOptions): Promise<void> {
  await warnIfBusy();
  const results = [];
  for (const name of options.trees) {
    const tree = treeNamed(name, options);
    const measured = await measure(tree, options);
    print(comparison(tree, measured));
    for (const remark of new Set(measured.flatMap(remarksOf))) console.log(remark);
    results.push({ tree: name, measured });
  }
  if (options.save !== undefined) console.log(`\nSaved ${saveResults(options.save, { options, results })}`);
}

/** "best-of-16", or a file of bench/trees. */
function treeNamed(name: string, { prompt, length }: ReplayOptions): RecordedTree {
  const [, branches] = /^best-of-(\d+)$/.exec(name) ?? [];
  return branches === undefined ? readTree(name) : bestOfTree(Number(branches), length, prompt);
}

async function measure(tree: RecordedTree, options: ReplayOptions): Promise<Measured[]> {
  const { allWays = false, shape, rounds, threads = cpus().length } = options;
  const models = await modelsOf(tree, shape);
  const measured: Measured[] = options.contenders.flatMap((contender) => {
    const { usual, others } = contenders[contender];
    return [...usual, ...(allWays ? others : [])].map((way) => ({ contender, way, rounds: [] }));
  });
  for (let round = 0; round < rounds; round++) {
    for (const { contender, way, rounds } of measured) {
      const work: ReplayWork = { tree, ...models, threads, way };
      rounds.push(await inChild<ReplayResult>(contenders[contender].module, work));
    }
  }
  return measured;
}

function comparison(tree: RecordedTree, measured: readonly Measured[]) {
  const [ours] = measured;
  const rows = measured.map((each) => {
    const column = (read: (result: ReplayResult) => number) => spread(each.rounds.map(read));
    // Round by round: both ran within the same minutes.
    const ratios = each.rounds.map((round, i) => perSecond(ours!.rounds[i]!) / perSecond(round));
    return [
      nameOf(each),
      column(perSecond),
      column(({ totalMs }) => totalMs / 1000),
      column(({ cpuMs }) => cpuMs / 1000),
      column(({ generatedTokens }) => generatedTokens),
      column(({ peakRssMb }) => peakRssMb),
      each === ours ? "" : `${spread(ratios)}x`,
    ];
  });
  const tokens = `${number(tokensOf(tree))} tokens${tree.verified ? ", verified" : ""}, after a prompt of ${tree.prompt}`;
  const title = `${tree.name}: ${tokens}: median (min-max) of ${ours!.rounds.length}`;
  return { title, columns: ["", "tokens/s", "s", "CPU s", "tokens", "peak MB", `${nameOf(ours!)} is faster`], rows };
}

function nameOf({ contender, way }: Measured): string {
  return way === "" ? contender : `${contender} (${way})`;
}

function remarksOf(measured: Measured): string[] {
  return measured.rounds.flatMap(({ remark }) => (remark === undefined ? [] : [`${nameOf(measured)}: ${remark}`]));
}

function perSecond({ generatedTokens, totalMs }: ReplayResult): number {
  return (1000 * generatedTokens) / totalMs;
}
