/**
 * ProcessBench: how well a verifier finds the first wrong step of a solution (Zheng et al. 2024, arXiv 2412.06559).
 *
 * Owns: the protocol: what is predicted, the two accuracies and their F1, the threshold of best F1.
 * Must not know: where scores come from, files.
 */
import { ThinkTreeError } from "../errors.js";
import { bootstrap, bootstrapOfMeans, type Estimate } from "./statistics.js";

/** What is known of one solution, and what a verifier says of it. */
export interface ScoredSteps {
  /** Index of the first wrong step; null: all are right. */
  readonly firstError: number | null;
  /** One a step, in [0, 1]; null: the solution could not be scored. It counts as missed, whatever is right. */
  readonly scores: readonly number[] | null;
}

/** Accuracies and F1 are in [0, 1], with 95% intervals over solutions; NaN where there are none of a kind. */
export interface ProcessBenchFigures {
  readonly solutions: number;
  /** Solutions that have a wrong step. */
  readonly erroneous: number;
  /** Solutions that could not be scored. */
  readonly unscored: number;
  /** Share of the erroneous ones of which exactly the first wrong step is predicted. */
  readonly errorAccuracy: Estimate;
  /** Share of the others for which none is predicted. */
  readonly correctAccuracy: Estimate;
  /** The harmonic mean of both. */
  readonly f1: Estimate;
}

/** The first step whose score is below the threshold; null: none. */
export function predictedError(scores: readonly number[], threshold: number): number | null {
  const index = scores.findIndex((score) => score < threshold);
  return index < 0 ? null : index;
}

export function processBenchFigures(solutions: readonly ScoredSteps[], threshold: number): ProcessBenchFigures {
  const [erroneous, correct] = hitsOf(solutions, threshold);
  return {
    solutions: solutions.length,
    erroneous: erroneous.length,
    unscored: solutions.filter(({ scores }) => scores === null).length,
    errorAccuracy: bootstrap(erroneous),
    correctAccuracy: bootstrap(correct),
    f1: bootstrapOfMeans([erroneous, correct], ([error, correct]) => harmonicMean(error!, correct!)),
  };
}

/** The mean of the sets' F1, as the paper has it, with its interval over the solutions of all. */
export function averageF1(sets: readonly (readonly ScoredSteps[])[], threshold: number): Estimate {
  const groups = sets.flatMap((solutions) => hitsOf(solutions, threshold));
  return bootstrapOfMeans(groups, (means) => {
    const each = sets.map((_, i) => harmonicMean(means[2 * i]!, means[2 * i + 1]!));
    return each.reduce((a, b) => a + b) / each.length;
  });
}

/**
 * The threshold in [0, 1] of the highest F1; the paper finds it on GSM8K's part and applies it to all. Of the thresholds that
 * predict the same, the middle; of spans that are equally good, the widest.
 * @throws {ThinkTreeError} INVALID_OPTION: see assertTunable
 */
export function bestThreshold(solutions: readonly ScoredSteps[]): number {
  assertTunable(solutions);
  const spans = solutions.map(hitSpan);
  const edges = [...new Set([0, 1, ...spans.flatMap(({ above, upTo }) => [above, upTo])])]
    .filter((edge) => edge >= 0 && edge <= 1)
    .sort((a, b) => a - b);
  const counts = { erroneous: 0, correct: 0 };
  for (const { kind } of spans) counts[kind]++;
  let best = { threshold: 0.5, f1: -1, width: 0 };
  for (let i = 1; i < edges.length; i++) {
    const [low, high] = [edges[i - 1]!, edges[i]!];
    const hits = { erroneous: 0, correct: 0 };
    for (const { kind, above, upTo } of spans) if (above <= low && high <= upTo) hits[kind]++;
    const f1 = harmonicMean(hits.erroneous / counts.erroneous, hits.correct / counts.correct);
    const width = high - low;
    if (f1 > best.f1 || (f1 === best.f1 && width > best.width)) {
      const middle = low + width / 2;
      best = { threshold: middle > low ? middle : high, f1, width };
    }
  }
  return best.threshold;
}

/**
 * To be asked before anything is scored.
 * @throws {ThinkTreeError} INVALID_OPTION: there are not both erroneous and correct solutions
 */
export function assertTunable(solutions: readonly Pick<ScoredSteps, "firstError">[]): void {
  const erroneous = solutions.filter(({ firstError }) => firstError !== null).length;
  if (erroneous > 0 && erroneous < solutions.length) return;
  throw new ThinkTreeError("INVALID_OPTION", "a threshold is tuned on solutions with wrong steps and on ones without");
}

/** Thresholds t by which the prediction is right: above < t <= upTo. */
function hitSpan({ firstError, scores }: ScoredSteps) {
  const kind = firstError === null ? ("correct" as const) : ("erroneous" as const);
  if (scores === null) return { kind, above: Infinity, upTo: -Infinity };
  const before = Math.min(1, ...scores.slice(0, firstError ?? scores.length));
  return { kind, above: firstError === null ? -Infinity : scores[firstError]!, upTo: before };
}

/** 1 or 0 for each of the erroneous solutions, and for each of the others. */
function hitsOf(solutions: readonly ScoredSteps[], threshold: number): [erroneous: number[], correct: number[]] {
  const hits = (some: readonly ScoredSteps[]) =>
    some.map(({ firstError, scores }) => Number(scores !== null && predictedError(scores, threshold) === firstError));
  return [
    hits(solutions.filter(({ firstError }) => firstError !== null)),
    hits(solutions.filter(({ firstError }) => firstError === null)),
  ];
}

function harmonicMean(a: number, b: number): number {
  return a + b > 0 ? (2 * a * b) / (a + b) : a + b;
}
