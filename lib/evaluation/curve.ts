/**
 * From the records of a run to its figures.
 *
 * Owns: accuracy and cost of the run, and what fewer samples would have reached, from that one run.
 * Must not know: how the records came about.
 */
import type { LoadedModels } from "../engine/addon.js";
import type { Strategy } from "../strategies/index.js";
import { costOfSamples, meanCost, type Cost } from "./cost.js";
import { chanceRight, choices, passAtK, type Choice, type Sample } from "./estimators.js";
import { choiceOf, type QuestionRecord } from "./records.js";
import { unshared } from "./sharing.js";
import { bootstrap, type Estimate } from "./statistics.js";

export interface Summary {
  readonly questions: number;
  /** Share of right answers, in [0, 1]; the interval is over questions. */
  readonly accuracy: Estimate;
  readonly cost: Cost;
  /** Of a strategy that only samples; else empty. */
  readonly curve: readonly CurvePoint[];
}

/** What k samples chosen among so would have reached. */
export interface CurvePoint {
  /** pass: any of them is right, as a perfect verifier would choose. */
  readonly choice: Choice | "pass";
  readonly k: number;
  readonly accuracy: Estimate;
  readonly cost: Cost;
}

export function summarize(
  records: readonly QuestionRecord[],
  strategy: Strategy | undefined,
  models: LoadedModels,
): Summary {
  const cost = meanCost(records);
  const choice = strategy && choiceOf(strategy.name);
  return {
    questions: records.length,
    accuracy: bootstrap(records.map(({ right }) => Number(right))),
    cost,
    curve: choice === undefined ? [] : curveOf(records, choice, strategy!.generations, cost, models),
  };
}

/** The points 1, 2, 4, ... and n, for every way to choose that the samples allow: without scores only the vote. */
function curveOf(
  records: readonly QuestionRecord[],
  choice: Choice,
  n: number,
  cost: Cost,
  models: LoadedModels,
): CurvePoint[] {
  const sizes = Array.from({ length: Math.floor(Math.log2(n)) + 1 }, (_, i) => 2 ** i);
  if (sizes.at(-1) !== n) sizes.push(n);
  const possible = [...(choice === "majority" ? (["majority"] as const) : choices), "pass"] as const;
  const sharings = records.map(({ sharing }) => sharing ?? unshared(new Array<number>(n).fill(0)));
  const draws = drawsFor(records.length);
  const chance = (choice: Choice | "pass", samples: readonly Sample[] | null, k: number) => {
    if (samples === null) return 0; // it could not be asked
    if (choice === "pass") return passAtK(samples.length, samples.filter(({ right }) => right).length, k);
    return chanceRight(choice, samples, k, draws);
  };
  return possible.flatMap((choice) =>
    sizes.map((k) => ({
      choice,
      k,
      accuracy: bootstrap(records.map(({ samples }) => chance(choice, samples, k))),
      cost: costOfSamples(cost, sharings, k, choice !== "majority", models),
    })),
  );
}

/** Enough for a standard error of the mean over questions under 0.25 points. */
function drawsFor(questions: number): number {
  return Math.max(100, Math.ceil(40_000 / questions));
}
