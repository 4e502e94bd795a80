/**
 * A verifier's scores of many given solutions.
 *
 * Owns: which solutions are under way, the journal of those that are scored.
 * Must not know: what is right, what becomes of the scores.
 */
import { createHash } from "node:crypto";

import { ThinkTreeError } from "../errors.js";
import { forEachOf } from "../scheduler/at-once.js";
import type { Engine } from "../scheduler/engine.js";
import { Journal } from "./journal.js";
import { Pace, type PaceReport } from "./pace.js";

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
  /** Stops it: what is finished is in the journal, and the promise rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Called at the beginning and after every solution. */
  readonly onProgress?: ((progress: PaceReport) => void) | undefined;
}

/** One a step, in [0, 1]; null: the solution does not fit the model's context. */
export type StepScores = readonly number[] | null;

/** What scores depend on beside the solution: the journal is refused to any other. */
export function scoringRunOf({ fingerprints, models: { verifier } }: StepScoring["engine"]): object {
  return { task: "score steps", models: fingerprints, recipe: verifier?.recipe ?? {} };
}

/**
 * The steps' scores of each solution, in their order. Equal solutions are scored once.
 * @throws {ThinkTreeError} CANCELLED, INVALID_OPTION (also a journal of another verifier), and as Engine.score
 */
export async function scoreSteps(scoring: StepScoring): Promise<StepScores[]> {
  const { engine, solutions, atOnce = 16, signal, onProgress } = scoring;
  const keys = solutions.map(keyOf);
  const distinct = new Map(keys.map((key, i) => [key, solutions[i]!]));
  const journal = await Journal.open<{ scores: StepScores }>(scoring.journal, scoringRunOf(engine));
  try {
    const left = [...distinct].filter(([key]) => journal.get(key) === undefined);
    const pace = new Pace(distinct.size, distinct.size - left.length, (report) => onProgress?.(report));
    await forEachOf(left, atOnce, signal, async ([key, solution], _, signal) => {
      await journal.append(key, { scores: await scoresOf(engine, solution, signal) });
      pace.count();
    });
    return keys.map((key) => journal.get(key)!.scores);
  } finally {
    await journal.close();
  }
}

async function scoresOf(
  engine: StepScoring["engine"],
  { question, steps }: GivenSolution,
  signal: AbortSignal,
): Promise<StepScores> {
  try {
    return (await engine.score(question, steps, { signal })).scores;
  } catch (error) {
    if (ThinkTreeError.isInstance(error) && error.code === "CONTEXT_EXCEEDED") return null;
    throw error;
  }
}

function keyOf({ question, steps }: GivenSolution): string {
  return createHash("sha256")
    .update(JSON.stringify([question, steps]))
    .digest("hex");
}
