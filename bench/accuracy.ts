/**
 * The paper's comparison on the embedded models: which method answers how many held-out questions, at what cost.
 *
 * Owns: the runs, the pooling of samples, the output. Must not know: how a strategy searches.
 */
import {
  bestOfN,
  strategyByName,
  type Aggregation,
  type Answer,
  type Engine,
  type Strategy,
  type StrategyName,
} from "thinktree";

import { accuracyTable, type MethodResult } from "./accuracy/report.js";
import { chanceRight, choices, type ChoiceName } from "./accuracy/samples.js";
import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { mean } from "./support/statistics.js";
import { print } from "./support/table.js";
import { forEachOf, loadModels, readProblems, type ModelOptions, type WordProblem } from "./support/word-problems.js";

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

/** One strategy over all questions. */
interface Run {
  readonly answers: readonly Answer[];
  /** A question, from the wall clock of all. */
  readonly milliseconds: number;
}

export async function accuracy(options: AccuracyOptions): Promise<void> {
  await warnIfBusy();
  const problems = readProblems(options).slice(0, options.limit);
  const engine = await loadModels(options);
  const recommended = engine.models.verifier?.recipe["verifier.aggregation"] as Aggregation | undefined;
  const aggregation = options.aggregation ?? recommended ?? "min";
  const run = (strategy: Strategy) => runAll(engine, problems, strategy, options);

  const most = Math.max(...options.n);
  const samples = await run(bestOfN({ n: most, aggregation }));
  const sampled = (choice: ChoiceName, n: number) => sampledResult(choice, n, samples, problems);
  const results: MethodResult[] = [{ ...sampled("majority", 1), method: "pass@1" }];
  for (const name of options.strategies) {
    for (const n of options.n) {
      if (name in choices) {
        results.push(sampled(name as ChoiceName, n));
        continue;
      }
      const settings = { n, beamWidth: beamWidthFor(n), aggregation };
      const found = searchedResult(name, n, await run(strategyByName(name, settings)), problems);
      const equal = Math.max(1, Math.min(most, Math.round(found.generatedTokens / results[0]!.generatedTokens)));
      const [majority, weighted] = (["majority", "weighted-best-of-n"] as const).map((c) =>
        mean(sampled(c, equal).right),
      );
      results.push({ ...found, equalTokens: { samples: equal, majority: majority!, weighted: weighted! } });
    }
  }
  await engine.close();

  const title = `${problems.length} held-out questions; aggregation ${aggregation}; fifths by difficulty, easiest first`;
  print(
    accuracyTable(
      title,
      results,
      problems.map(({ pass1 }) => pass1),
    ),
  );
  console.log(`\nCosts are of one question. Those of sampling methods are their share of one run of ${most} samples.`);
  if (options.save !== undefined) console.log(`Saved ${saveResults(options.save, { options, aggregation, results })}`);
}

/** The paper's sqrt(N) where that is less than its other choice, 4. */
function beamWidthFor(n: number): number {
  return Math.max(1, Math.min(4, Math.floor(Math.sqrt(n))));
}

async function runAll(
  engine: Engine,
  problems: readonly WordProblem[],
  strategy: Strategy,
  { branches, seed }: AccuracyOptions,
): Promise<Run> {
  const begun = performance.now();
  // On CPU a branch pays for the cells of all: few questions with many branches each are faster than many at once.
  const concurrency = Math.max(1, Math.floor(branches / strategy.generations));
  const answers = await forEachOf(problems, concurrency, ({ question }, i) =>
    engine.solve(question, { strategy, seed: seed * 1_000_003 + i }),
  );
  return { answers, milliseconds: (performance.now() - begun) / problems.length };
}

function searchedResult(method: string, n: number, run: Run, problems: readonly WordProblem[]): MethodResult {
  return {
    ...{ method, n, milliseconds: run.milliseconds },
    right: run.answers.map(({ answer }, i) => (answer === problems[i]!.answer ? 1 : 0)),
    generatedTokens: mean(run.answers.map(({ ledger }) => ledger.generatedTokens)),
    verifierTokens: mean(run.answers.map(({ ledger }) => ledger.verifierTokens)),
  };
}

/** A method's share of the run that all sampling methods share. */
function sampledResult(method: ChoiceName, n: number, run: Run, problems: readonly WordProblem[]): MethodResult {
  const whole = searchedResult(method, n, run, problems);
  const share = n / run.answers[0]!.candidates.length;
  return {
    ...{ method, n, milliseconds: whole.milliseconds * share, generatedTokens: whole.generatedTokens * share },
    right: run.answers.map(({ candidates }, i) => chanceRight(method, candidates, n, problems[i]!.answer)),
    verifierTokens: method === "majority" ? 0 : whole.verifierTokens * share,
  };
}
