/**
 * Right answers a minute, end to end, on the embedded models: what a user gets for the time.
 *
 * Owns: the methods, their turns, the table. Must not know: how a strategy searches.
 */
import { beamSearch, bestOfN, weightedBestOfN, type Strategy } from "thinktree";
import { mathGrader } from "#lib/grading/math-grader.js";

import { runAll } from "./accuracy.js";
import type { Run } from "./accuracy/results.js";
import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { print, spread } from "./support/table.js";
import { loadModels, readProblems, type ModelOptions } from "./support/word-problems.js";

export interface SolvedOptions extends ModelOptions {
  readonly limit: number;
  readonly rounds: number;
  /** Branches at once, over all questions. */
  readonly branches: number;
  readonly save?: string | undefined;
}

const methods: readonly { readonly name: string; readonly strategy: Strategy }[] = [
  { name: "one sample", strategy: bestOfN({ n: 1 }) },
  { name: "best-of-16", strategy: bestOfN({ n: 16 }) },
  { name: "best-of-16, weighted", strategy: weightedBestOfN({ n: 16 }) },
  { name: "beam search, 16/4", strategy: beamSearch({ n: 16, beamWidth: 4 }) },
  { name: "beam search, 64/4", strategy: beamSearch({ n: 64, beamWidth: 4 }) },
];

export async function solved(options: SolvedOptions): Promise<void> {
  await warnIfBusy();
  const problems = await readProblems(options, options.limit);
  const engine = await loadModels(options);
  const grader = mathGrader();
  const measured = methods.map(({ name }) => ({ name, runs: [] as Run[] }));
  for (let seed = 1; seed <= options.rounds; seed++) {
    for (const [i, { strategy }] of methods.entries()) {
      const settings = { branches: options.branches, seed };
      measured[i]!.runs.push(await runAll(engine, grader, problems, strategy, settings));
    }
  }
  await engine.close();
  await grader.close();
  const rows = measured.map(({ name, runs }) => [
    name,
    spread(runs.map((run) => 100 * shareRight(run))),
    spread(runs.map(({ milliseconds }) => 60_000 / milliseconds)),
    spread(runs.map((run) => (60_000 / run.milliseconds) * shareRight(run))),
    spread(
      runs.map(({ records }) => records.reduce((sum, { ledger }) => sum + ledger.flops, 0) / records.length / 1e9),
    ),
  ]);
  print({
    title: `${problems.length} held-out questions on the embedded models: median (min-max) of ${options.rounds}`,
    columns: ["", "right, %", "questions a minute", "right a minute", "GFLOP a question"],
    rows,
  });
  if (options.save !== undefined) console.log(`\nSaved ${saveResults(options.save, { options, rows })}`);
}

function shareRight({ records }: Run): number {
  return records.filter(({ right }) => right).length / records.length;
}
