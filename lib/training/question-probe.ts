/**
 * The probe that guesses a question's difficulty from the generator's hidden state at its end.
 *
 * Owns: ridge regression, the choice of its penalty, predictions for questions it has not seen.
 * Must not know: engines, policies.
 *
 * Source: linear probes on the prompt's hidden state predict success before any sample; cf. Damani et al. 2024, sec. 3.
 */
import { CholeskyDecomposition, Matrix } from "ml-matrix";

import { rankCorrelation, seededRandom, shuffle } from "../evaluation/statistics.js";
import type { QuestionProbe } from "../scheduler/difficulty.js";

export interface ProbeFit {
  readonly probe: QuestionProbe;
  /** For each question, by a probe that was fitted without it. */
  readonly predictions: readonly number[];
}

const penalties = [0.1, 1, 10, 100, 1_000, 10_000] as const;
const folds = 5;

/** Null if there are too few questions for five folds of two. `states`: one row a question, all of the same width. */
export function fitQuestionProbe(
  states: readonly (readonly number[])[],
  difficulties: readonly number[],
  seed: number,
): ProbeFit | null {
  if (states.length < 2 * folds) return null;
  const fold = states.map((_, i) => i % folds);
  shuffle(fold, seededRandom(seed));
  const trials = penalties.map((penalty) => {
    const predictions = new Array<number>(states.length);
    for (let held = 0; held < folds; held++) {
      const seen = fold.flatMap((of, i) => (of === held ? [] : [i]));
      const probe = ridge(
        seen.map((i) => states[i]!),
        seen.map((i) => difficulties[i]!),
        penalty,
      );
      for (const [i, of] of fold.entries()) if (of === held) predictions[i] = predict(probe, states[i]!);
    }
    return { penalty, predictions, error: meanSquare(predictions.map((value, i) => value - difficulties[i]!)) };
  });
  const best = trials.reduce((a, b) => (b.error < a.error ? b : a));
  return { probe: ridge(states, difficulties, best.penalty), predictions: best.predictions };
}

/** Spearman's correlation of predictions with the truth. */
export function probeCorrelation({ predictions }: ProbeFit, difficulties: readonly number[]): number {
  return rankCorrelation(predictions, difficulties);
}

/** Weights for raw states, fitted on standardised ones. */
function ridge(states: readonly (readonly number[])[], targets: readonly number[], penalty: number): QuestionProbe {
  const raw = new Matrix(states);
  const centre = raw.mean("column");
  const spread = raw.standardDeviation("column", { mean: centre }).map((value) => (value > 0 ? value : 1));
  const x = raw.clone().subRowVector(centre).divRowVector(spread);
  const middle = targets.reduce((sum, target) => sum + target, 0) / targets.length;
  const y = Matrix.columnVector(targets.map((target) => target - middle));
  const gram = x
    .transpose()
    .mmul(x)
    .add(Matrix.eye(x.columns, x.columns, penalty));
  const scaled = new CholeskyDecomposition(gram).solve(x.transpose().mmul(y)).to1DArray();
  const weights = scaled.map((weight, i) => weight / spread[i]!);
  return { bias: middle - dot(weights, centre), weights };
}

function predict({ bias, weights }: QuestionProbe, state: readonly number[]): number {
  return Math.min(1, Math.max(0, bias + dot(weights, state)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function meanSquare(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value * value, 0) / values.length;
}
