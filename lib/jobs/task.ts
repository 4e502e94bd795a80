/**
 * What can be done on another node.
 *
 * Owns: the kinds of units as plain JSON, how each is done, and how its end is told: a value, or an error with its code.
 * Must not know: queues, who asks.
 */
import { ThinkTreeError, type ErrorCode } from "../errors.js";
import { answerOne, type EvaluationWork } from "../evaluation/evaluate.js";
import { scoreOne, type GivenSolution } from "../evaluation/score-steps.js";
import type { Grader } from "../grading/grader.js";
import type { Engine } from "../scheduler/engine.js";
import type { SolveOptions } from "../scheduler/solve-options.js";
import { strategyByName, type StrategyName, type StrategySettings } from "../strategies/index.js";
import { runOne, type CalibrationWork } from "../training/calibrate.js";
import { labelOne, type RolloutWork } from "../training/label-steps.js";

export type Task =
  | { readonly kind: "evaluate"; readonly how: EvaluationSettings; readonly work: EvaluationWork }
  | { readonly kind: "calibrate"; readonly work: CalibrationWork }
  | { readonly kind: "rollouts"; readonly work: RolloutWork }
  | { readonly kind: "score"; readonly work: GivenSolution };

/** EvaluationTask's `solve`, with the strategy by its name. */
export interface EvaluationSettings {
  /** Null: the policy decides. */
  readonly strategy: { readonly name: StrategyName; readonly settings: StrategySettings } | null;
  readonly solve: Pick<SolveOptions, "budget" | "temperature" | "topK" | "topP" | "minP">;
}

export type Outcome =
  | { readonly value: unknown }
  /** The same on any node, or taken to be: the unit is not tried again. */
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

/** Never rejects. */
export async function perform(engine: Engine, grader: Grader, task: Task, signal: AbortSignal): Promise<Outcome> {
  try {
    return { value: await valueOf(engine, grader, task, signal) };
  } catch (error) {
    const code = ThinkTreeError.isInstance(error) ? error.code : "INTERNAL";
    return { error: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}

function valueOf(engine: Engine, grader: Grader, task: Task, signal: AbortSignal): Promise<unknown> {
  if (task.kind === "calibrate") return runOne(engine, grader, task.work, signal);
  if (task.kind === "rollouts") return labelOne(engine, grader, task.work, signal);
  if (task.kind === "score") return scoreOne(engine, task.work, signal);
  const { strategy, solve } = task.how;
  const by = strategy && { strategy: strategyByName(strategy.name, strategy.settings) };
  return answerOne(engine, grader, { ...solve, ...by }, task.work, signal);
}
