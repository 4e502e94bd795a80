/**
 * A verifier's scores of many given solutions.
 *
 * Owns: that equal solutions are scored once, what scores depend on.
 * Must not know: what is right, what becomes of the scores.
 */
import { createHash } from "node:crypto";

import { ThinkTreeError } from "../errors.js";
import type { Engine } from "../scheduler/engine.js";
import type { PaceReport } from "./pace.js";
import { doUnits, here, type Executor } from "./units.js";

export interface GivenSolution {
  readonly question: string;
  readonly steps: readonly string[];
}

export interface StepScoring {
  readonly engine: Pick<Engine, "fingerprints" | "models" | "score">;
  readonly solutions: readonly GivenSolution[];
  /**
   * File in which paid work is kept, by what was scored and not by where it stood: a run killed at any moment goes on from
   * it, and other files of solutions may share it.
   */
  readonly journal: string;
  /** Solutions to have under way at once; default 16, which fills the batches. */
  readonly atOnce?: number;
  /** Who scores them; default: this process. */
  readonly execute?: Executor<GivenSolution, KeptScores> | undefined;
  /** Stops it: what is finished is in the journal, and the promise rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Called at the beginning and after every solution. */
  readonly onProgress?: ((progress: PaceReport) => void) | undefined;
}

/** One a step, in [0, 1]; null: the solution does not fit the model's context. */
export type StepScores = readonly number[] | null;

/** As the journal has them. */
export interface KeptScores {
  readonly scores: StepScores;
}

/** What scores depend on beside the solution: the journal is refused to any other. */
export function scoringRunOf({ fingerprints, models: { verifier } }: StepScoring["engine"]): object {
  return { task: "score steps", models: fingerprints, recipe: verifier?.recipe ?? {} };
}

/**
 * The steps' scores of each solution, in their order. Equal solutions are scored once.
 * @throws {ThinkTreeError} CANCELLED, INVALID_OPTION (also a journal of another verifier), and as Engine.score
 */
export async function scoreSteps(scoring: StepScoring): Promise<StepScores[]> {
  const { engine, solutions, journal, atOnce = 16, signal, onProgress } = scoring;
  const keys = solutions.map(keyOf);
  const distinct = new Map(keys.map((key, i) => [key, solutions[i]!]));
  const scoresOf = await doUnits({
    ...{ journal, signal, onProgress },
    run: scoringRunOf(engine),
    units: [...distinct].map(([key, { question, steps }]) => ({ key, branches: 1, work: { question, steps } })),
    execute: scoring.execute ?? here(atOnce, (solution, ending) => scoreOne(engine, solution, ending)),
  });
  return keys.map((key) => scoresOf(key).scores);
}

/** @throws {ThinkTreeError} as Engine.score, but for CONTEXT_EXCEEDED: there are no scores then */
export async function scoreOne(
  engine: Pick<Engine, "score">,
  { question, steps }: GivenSolution,
  signal: AbortSignal,
): Promise<KeptScores> {
  try {
    return { scores: (await engine.score(question, steps, { signal })).scores };
  } catch (error) {
    if (ThinkTreeError.isInstance(error) && error.code === "CONTEXT_EXCEEDED") return { scores: null };
    throw error;
  }
}

function keyOf({ question, steps }: GivenSolution): string {
  return createHash("sha256")
    .update(JSON.stringify([question, steps]))
    .digest("hex");
}
