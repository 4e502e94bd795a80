/**
 * A thousand questions in one process, and cancellations at random moments: does anything stay behind?
 *
 * Owns: the load and the verdict. Must not know: how the engine frees what.
 */
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { strategyWithin, ThinkTreeError, type Engine, type StrategyName } from "thinktree";
import { seededRandom } from "#lib/evaluation/statistics.js";

import { saveResults } from "./support/folders.js";
import { median } from "./support/statistics.js";
import { number, print } from "./support/table.js";
import { forEachOf, loadModels, readProblems, type ModelOptions } from "./support/word-problems.js";

export interface SoakOptions extends ModelOptions {
  readonly solves: number;
  readonly warmUp: number;
  readonly cancellations: number;
  readonly concurrency: number;
  readonly generations: number;
  readonly seed: number;
  readonly save?: string | undefined;
}

/** Every kind of search takes its turn. */
const strategies: readonly StrategyName[] = [
  "beam",
  "majority",
  "dvts",
  "weighted-best-of-n",
  "lookahead",
  "best-of-n",
];
const held = ["kvCells", "verifierKvCells", "leases", "searches", "branches"] as const;

export async function soak(options: SoakOptions): Promise<void> {
  const { solves, warmUp, cancellations, concurrency, generations, seed } = options;
  const problems = await readProblems(options);
  const random = seededRandom(seed);
  const engine = await loadModels(options);
  const durations: number[] = [];
  const solveOne = async (i: number, signal?: AbortSignal) => {
    const strategy = strategyWithin(generations, strategies[i % strategies.length]!);
    const begun = performance.now();
    await engine.solve(problems[i % problems.length]!.question, { strategy, seed: i, signal });
    durations.push(performance.now() - begun);
  };
  const many = (count: number, work: (i: number) => Promise<void>) =>
    forEachOf(
      Array.from({ length: count }, (_, i) => i),
      concurrency,
      work,
    );
  const rows: string[][] = [];
  const note = async (phase: string) => {
    const left = await atRest(engine);
    rows.push([phase, number(rssMb()), ...held.map((name) => String(left[name]))]);
    return left;
  };

  await note("loaded");
  await many(warmUp, (i) => solveOne(i));
  await note(`after ${warmUp} solves (warm)`);
  const warm = rssMb();
  await many(solves, (i) => solveOne(i));
  await note(`after ${solves} more`);
  const growth = rssMb() - warm;

  const usual = median(durations);
  let cancelled = 0;
  await many(cancellations, async (i) => {
    const controller = new AbortController();
    const timer = globalThis.setTimeout(() => controller.abort(), random() * usual);
    await solveOne(i, controller.signal).catch((error: unknown) => {
      if (!ThinkTreeError.isInstance(error) || error.code !== "CANCELLED") throw error;
      cancelled++;
    });
    clearTimeout(timer);
  });
  const left = await note(`after ${cancellations} cancellations (${cancelled} in time)`);

  print({ title: `Soak: ${concurrency} questions at once`, columns: ["", "RSS MB", ...held], rows });
  console.log(`\nMemory grew by ${number(growth)} MB over ${solves} solves after the warm-up.`);
  if (options.save !== undefined)
    console.log(`Saved ${saveResults(options.save, { options, rows, growth, cancelled })}`);
  await engine.close();
  const leaked = held.filter((name) => left[name] !== 0);
  if (leaked.length > 0) {
    console.error(`soak: still held at the end: ${leaked.join(", ")}`);
    process.exitCode = 1;
  }
}

/** What the engine holds once it has come to rest: closing a search is asked for, and done a moment later. */
async function atRest(engine: Engine) {
  collectGarbage();
  for (let tries = 0; tries < 100; tries++) {
    const stats = engine.stats();
    if (held.every((name) => stats[name] === 0)) return stats;
    await setTimeout(20);
  }
  return engine.stats();
}

function rssMb(): number {
  return process.memoryUsage.rss() / 2 ** 20;
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
