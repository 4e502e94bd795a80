/**
 * The paper's comparison on the embedded models: which method answers how many held-out questions, at what cost.
 *
 * Owns: the runs, the output. Must not know: how a strategy searches.
 */
import { bestOfN, strategyByName, type Aggregation, type Engine, type Strategy, type StrategyName } from "thinktree";
import type { Choice } from "#lib/evaluation/estimators.js";
import type { Grader } from "#lib/grading/grader.js";
import { mathGrader } from "#lib/grading/math-grader.js";
import type { Question } from "#lib/evaluation/questions.js";
import { choiceOf, recordOf } from "#lib/evaluation/records.js";
import { mean } from "#lib/evaluation/statistics.js";

import { accuracyTable } from "./accuracy/report.js";
import { sampledResult, searchedResult, type MethodResult, type Run } from "./accuracy/results.js";
import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { print } from "./support/table.js";
import { forEachOf, loadModels, readProblems, type ModelOptions } from "./support/word-problems.js";

export interface AccuracyOptions extends ModelOptions {
  readonly limit: number;
  readonly n: readonly number[];
  readonly strategies: readonly StrategyName[];
  readonly aggregation?: Aggregation | undefined;
  /** Questions in flight at once. */
  readonly branches: number;
  readonly seed: number;
  readonly save?: string | undefined;
}

export async function accuracy(options: AccuracyOptions): Promise<void> {
  await warnIfBusy();
  const problems = await readProblems(options, options.limit);
  const engine = await loadModels(options);
  const grader = mathGrader();
  const recommended = engine.models.verifier?.recipe["verifier.aggregation"] as Aggregation | undefined;
  const aggregation = options.aggregation ?? recommended ?? "min";
  const run = (strategy: Strategy) => runAll(engine, grader, problems, strategy, options);

  const most = Math.max(...options.n);
  const samples = await run(bestOfN({ n: most, aggregation }));
  const sampled = (choice: Choice, n: number) => sampledResult(choice, n, samples);
  const results: MethodResult[] = [{ ...sampled("majority", 1), method: "pass@1" }];
  for (const name of options.strategies) {
    const choice = choiceOf(name);
    for (const n of options.n) {
      if (choice !== undefined) {
        results.push(sampled(choice, n));
        continue;
      }
      const settings = { n, beamWidth: beamWidthFor(n), aggregation };
      const found = searchedResult(name, n, await run(strategyByName(name, settings)));
      const equal = Math.max(1, Math.min(most, Math.round(found.generatedTokens / results[0]!.generatedTokens)));
      const [majority, weighted] = (["majority", "weighted-best-of-n"] as const).map((c) =>
        mean(sampled(c, equal).right),
      );
      results.push({ ...found, equalTokens: { samples: equal, majority: majority!, weighted: weighted! } });
    }
  }
  await engine.close();
  await grader.close();

  const title = `${problems.length} held-out questions; aggregation ${aggregation}; fifths by difficulty, easiest first`;
  print(
    accuracyTable(
      title,
      results,
      problems.map(({ other }) => Number(other["pass1"])),
    ),
  );
  console.log(`\nCosts are of one question. Those of sampling methods are their share of one run of ${most} samples.`);
  if (options.save !== undefined) console.log(`Saved ${saveResults(options.save, { options, aggregation, results })}`);
}

/** The paper's sqrt(N) where that is less than its other choice, 4. */
function beamWidthFor(n: number): number {
  return Math.max(1, Math.min(4, Math.floor(Math.sqrt(n))));
}

/** The strategy over all questions, several at once. */
export async function runAll(
  engine: Engine,
  grader: Grader,
  problems: readonly Question[],
  strategy: Strategy,
  { branches, seed }: Pick<AccuracyOptions, "branches" | "seed">,
): Promise<Run> {
  const begun = performance.now();
  // On CPU a branch pays for the cells of all: few questions with many branches each are faster than many at once.
  const concurrency = Math.max(1, Math.floor(branches / strategy.generations));
  const answers = await forEachOf(problems, concurrency, ({ question }, i) =>
    engine.solve(question, { strategy, seed: seed * 1_000_003 + i }),
  );
  const milliseconds = (performance.now() - begun) / problems.length;
  return {
    records: await Promise.all(answers.map((answer, i) => recordOf(problems[i]!, answer, grader))),
    milliseconds,
  };
}
