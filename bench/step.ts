/**
 * One decode step of many branches: our attention, llama.cpp's ways, and the matrix products alone.
 *
 * Owns: the grid and its table. Must not know: how a step is made (bench/native/step_bench.cpp).
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";

import { randomModel } from "./gguf/random-model.js";
import { shapes, type ShapeName } from "./gguf/shapes.js";
import { root, saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { buildNative } from "./support/native-binary.js";
import { median } from "./support/statistics.js";
import { print, spread } from "./support/table.js";

export interface StepOptions {
  readonly shape: ShapeName;
  readonly prompts: readonly number[];
  readonly own: readonly number[];
  readonly branches: readonly number[];
  /** Of llama.cpp's own; undefined: all. */
  readonly ways?: readonly string[] | undefined;
  readonly rounds: number;
  readonly threads?: number | undefined;
  readonly save?: string | undefined;
}

interface Measured {
  readonly prompt: number;
  readonly own: number;
  readonly branches: number;
  /** Milliseconds a step, by way, in the order of the rounds. */
  readonly ms: Record<string, number[]>;
}

const ours = "tree";
const limit = "matrices";
const theirLimit = "matrices llama.cpp";

export async function step(options: StepOptions): Promise<void> {
  await warnIfBusy();
  const { rounds, threads = cpus().length } = options;
  const ways = options.ways && [ours, ...options.ways, limit, theirLimit].join(",");
  const model = await randomModel({ shape: shapes[options.shape], type: "Q8_0" });
  const binary = buildNative("step_bench");
  const measured: Measured[] = [];
  for (const prompt of options.prompts) {
    for (const own of options.own) {
      for (const branches of options.branches) {
        const ms = run(binary, [
          ...[model, ...[prompt, own, branches, rounds, threads].map(String)],
          ...(ways === undefined ? [] : [ways]),
        ]);
        measured.push({ prompt, own, branches, ms });
        print(table(`prompt ${prompt}, ${own} own tokens, ${branches} branches: ms a step of ${rounds}`, ms));
      }
    }
  }
  if (options.save !== undefined) console.log(`\nSaved ${saveResults(options.save, { options, measured })}`);
}

function run(binary: string, args: readonly string[]): Record<string, number[]> {
  const { status, stdout } = spawnSync(binary, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${binary} failed`);
  const ms: Record<string, number[]> = {};
  for (const line of stdout.split("\n").filter(Boolean)) {
    const { way, ms: taken } = JSON.parse(line) as { way: string; ms: number };
    (ms[way] ??= []).push(taken);
  }
  return ms;
}

function table(title: string, ms: Record<string, number[]>) {
  const against = (way: string, base: string) => (median(ms[way]!) / median(ms[base]!)).toFixed(2);
  const bases = [limit, theirLimit, ours];
  const rows = Object.keys(ms).map((way) => [way, spread(ms[way]!), ...bases.map((base) => against(way, base))]);
  return { title, columns: ["", "ms", ...bases.map((base) => `x ${base}`)], rows };
}
