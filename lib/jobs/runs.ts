/**
 * Evaluations, calibrations, rollouts and scorings done by workers.
 *
 * Owns: which properties of a node each depends on: no more is wanted of workers.
 * Must not know: queues, terminals.
 */
import type { EvaluationWork } from "../evaluation/evaluate.js";
import type { QuestionRecord } from "../evaluation/records.js";
import type { GivenSolution, KeptScores } from "../evaluation/score-steps.js";
import type { Executor } from "../evaluation/units.js";
import type { Grader } from "../grading/grader.js";
import type { Engine } from "../scheduler/engine.js";
import type { CalibrationPaid, CalibrationWork } from "../training/calibrate.js";
import type { LabelledQuestion, RolloutWork } from "../training/label-steps.js";
import { byWorkers, type CoordinatorOptions } from "./coordinator.js";
import { identityOf, type NodeIdentity } from "./node-identity.js";
import type { EvaluationSettings } from "./task.js";

export interface RunOptions extends Omit<CoordinatorOptions, "node"> {
  /** Knows the models; it is asked nothing. */
  readonly engine: Pick<Engine, "fingerprints" | "models" | "policy">;
  readonly grader: Pick<Grader, "name">;
  /** Of thinktree. */
  readonly version: string;
}

const asking = ["version", "generator", "generatorRecipe"] as const;
const judging = ["verifier", "verifierRecipe"] as const;

/** `how` must say what the evaluation's own `solve` says. */
export function evaluationByWorkers(
  options: RunOptions,
  { strategy, solve }: EvaluationSettings,
): Executor<EvaluationWork, QuestionRecord> {
  const voting = strategy?.name === "majority";
  const node = alikeIn(options, [
    ...[...asking, "grader" as const, ...(voting ? [] : judging)],
    ...(strategy === null ? ["policy" as const] : []),
  ]);
  // Without a strategy it is the policy's on both ends; with one, a worker's policy may be another.
  const { temperature = options.engine.policy.temperature } = solve;
  const how = { strategy, solve: { ...solve, temperature } };
  return byWorkers({ ...options, node }, (work: EvaluationWork) => ({ kind: "evaluate", how, work }));
}

export function calibrationByWorkers(options: RunOptions): Executor<CalibrationWork, CalibrationPaid> {
  const node = alikeIn(options, [...asking, ...judging, "grader"]);
  return byWorkers({ ...options, node }, (work: CalibrationWork) => ({ kind: "calibrate", work }));
}

export function rolloutsByWorkers(options: RunOptions): Executor<RolloutWork, LabelledQuestion> {
  const node = alikeIn(options, [...asking, "grader"]); // no verifier is asked
  return byWorkers({ ...options, node }, (work: RolloutWork) => ({ kind: "rollouts", work }));
}

export function scoringByWorkers(options: Omit<RunOptions, "grader">): Executor<GivenSolution, KeptScores> {
  const node = alikeIn({ ...options, grader: { name: "none" } }, [...asking, ...judging]); // both hold the steps
  return byWorkers({ ...options, node }, (work: GivenSolution) => ({ kind: "score", work }));
}

function alikeIn(
  { engine, grader, version }: RunOptions,
  names: readonly (keyof NodeIdentity)[],
): Partial<NodeIdentity> {
  const own = identityOf(engine, grader, version);
  return Object.fromEntries(names.map((name) => [name, own[name]]));
}
