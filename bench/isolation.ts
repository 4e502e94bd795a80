/**
 * What an engine in a process of its own costs: beam search on the embedded models, by turns with one in this process; and
 * what becomes of searches whose engine is killed in the middle.
 *
 * Owns: the turns, the kills and the table. Must not know: how the engine is isolated.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

import { beamSearch, Engine, type LoadOptions } from "thinktree";
import { seededRandom } from "#lib/evaluation/statistics.js";

import { saveResults } from "./support/folders.js";
import { loopDelayDuring, type LoopDelay } from "./support/loop-delay.js";
import { warnIfBusy } from "./support/machine-load.js";
import { median } from "./support/statistics.js";
import { number, print } from "./support/table.js";
import { readProblems } from "./support/word-problems.js";

export interface IsolationBenchOptions {
  readonly rounds: number;
  /** Questions a round. */
  readonly limit: number;
  readonly kills: number;
  readonly save?: string | undefined;
}

const ways = ["in this process", "in its own"] as const;

export async function isolation(options: IsolationBenchOptions): Promise<void> {
  await warnIfBusy();
  const questions = (await readProblems({}, options.limit)).map(({ question }) => question);
  const loading: number[] = [];
  const load = async (others: LoadOptions) => {
    const begun = performance.now();
    const engine = await Engine.load(others);
    loading.push(performance.now() - begun);
    return engine;
  };
  const engines = [await load({}), await load({ isolation: { restarts: options.kills } })] as const;
  const milliseconds: number[][] = [[], []];
  const delays: LoopDelay[][] = [[], []];
  for (let round = -1; round < options.rounds; round++) {
    for (const [way, engine] of engines.entries()) {
      const begun = performance.now();
      const delay = await loopDelayDuring(() => solveAll(engine, questions));
      if (round < 0) continue; // warm-up
      milliseconds[way]!.push((performance.now() - begun) / questions.length);
      delays[way]!.push(delay);
    }
  }
  const rows = ways.map((way, i) => [
    way,
    number(loading[i]!),
    number(median(milliseconds[i]!)),
    number(Math.min(...milliseconds[i]!)),
    number(Math.max(...milliseconds[i]!)),
    number(median(delays[i]!.map(({ p99 }) => p99))),
    number(Math.max(...delays[i]!.map(({ max }) => max))),
  ]);
  const columns = ["engine", "load, ms", "a search, ms", "least", "most", "loop delay p99, ms", "longest"];
  print({ title: `Beam search, N = 16, M = 4, ${options.rounds} rounds by turns`, columns, rows });
  const killed = await kill(engines, questions, options.kills);
  console.log(
    `\nKilled ${killed.kills} times in mid-search: ${killed.same} answers are those of an engine left alone.`,
  );
  await Promise.all(engines.map((engine) => engine.close()));
  if (options.save !== undefined) {
    console.log(`\nSaved ${saveResults(options.save, { options, loading, milliseconds, delays, killed })}`);
  }
}

const strategy = beamSearch({ n: 16, beamWidth: 4 });

async function solveAll(engine: Engine, questions: readonly string[]): Promise<void> {
  for (const [seed, question] of questions.entries()) await engine.solve(question, { strategy, seed });
}

async function kill([plain, isolated]: readonly [Engine, Engine], questions: readonly string[], kills: number) {
  const random = seededRandom(1);
  let same = 0;
  for (let i = 0; i < kills; i++) {
    const options = { strategy, seed: i };
    const question = questions[i % questions.length]!;
    const begun = performance.now();
    const expected = await plain.solve(question, options);
    const took = performance.now() - begun;
    const solving = isolated.solve(question, options);
    await setTimeout(random() * took);
    for (const pid of childrenOf(process.pid)) process.kill(pid, "SIGKILL");
    const found = await solving;
    if (found.text === expected.text) same += 1;
  }
  return { kills, same };
}

/** Linux. */
function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined; // it has ended meanwhile
  }
}
