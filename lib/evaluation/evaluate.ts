/**
 * A strategy over many questions: how often it is right, and what that costs.
 *
 * Owns: what is asked of each question, what its record depends on, progress.
 * Must not know: any one strategy's insides, how answers are graded, terminals.
 */
import { createHash } from "node:crypto";

import { ThinkTreeError } from "../errors.js";
import type { Grader } from "../grading/grader.js";
import { usualGenerations } from "../scheduler/budget.js";
import type { Engine } from "../scheduler/engine.js";
import type { SolveOptions } from "../scheduler/solve-options.js";
import { summarize, type Summary } from "./curve.js";
import type { PaceReport } from "./pace.js";
import { bareQuestion, digestOf, seedOf, type BareQuestion, type Question } from "./questions.js";
import { failedRecord, recordOf, type QuestionRecord } from "./records.js";
import { doUnits, here, type Executor, type Unit } from "./units.js";

export interface EvaluationTask {
  readonly engine: Pick<Engine, "fingerprints" | "models" | "policy" | "solve">;
  readonly questions: readonly Question[];
  /** How each question is solved; without a strategy the policy decides. */
  readonly solve: Omit<SolveOptions, "answerOf" | "seed" | "signal" | "stop" | "onProgress">;
  /** Each question's own seed is made of it and the question's id, so that their order does not matter. */
  readonly seed: number;
  /** Also says how answers are read off, where they are not stated as others are. */
  readonly grader: Pick<Grader, "name" | "answerOf" | "grade" | "check">;
}

export interface EvaluationOptions extends EvaluationTask {
  /** File in which paid work is kept. A run killed at any moment goes on from it. */
  readonly journal: string;
  /**
   * Branches to have under way at once, in as many questions as that makes; at least one question. Default 64: on a CPU a
   * branch pays for the cells of all.
   */
  readonly branches?: number;
  /** Who asks the questions; default: this process. */
  readonly execute?: Executor<EvaluationWork, QuestionRecord> | undefined;
  /** Stops it: what is finished is in the journal, and the promise rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Called at the beginning and after every question. */
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
}

/** One question's part of an evaluation. */
export interface EvaluationWork {
  readonly question: BareQuestion;
  readonly seed: number;
}

export interface EvaluationProgress extends PaceReport {
  readonly right: number;
}

export interface Evaluation extends Summary {
  /** In the order of the questions. */
  readonly records: readonly QuestionRecord[];
}

/** What the answers depend on: the journal is refused to any other. */
export function runOf({ engine, questions, solve, seed, grader }: EvaluationTask): object {
  const { strategy, ...others } = solve;
  const by = strategy ? { name: strategy.name, options: strategy.options } : { policy: hashOf(engine.policy) };
  return {
    task: "evaluate",
    questions: digestOf(questions),
    models: engine.fingerprints,
    asked: engine.models.generator.recipe["recipe_digest"],
    read: engine.models.verifier?.recipe["verifier.recipe_digest"],
    strategy: by,
    ...others,
    seed,
    grader: grader.name,
  };
}

/** @throws {ThinkTreeError} CANCELLED, INVALID_OPTION (also a journal of another run), and as Engine.solve. */
export async function evaluate(options: EvaluationOptions): Promise<Evaluation> {
  const { engine, questions, solve, seed, grader, journal, branches = 64, signal, onProgress } = options;
  for (const { answer } of questions) grader.check?.(answer); // told before anything is paid for
  const run = runOf(options);
  const asks = (work: EvaluationWork, ending: AbortSignal) => answerOne(engine, grader, solve, work, ending);
  const execute = options.execute ?? here(branches, asks);
  let right = 0;
  const found = await doUnits({
    ...{ journal, run, execute, signal },
    units: questions.map((question) => unitOf(question, solve, seed)),
    onValue: (record: QuestionRecord) => void (record.right && right++),
    onProgress: (parts) => onProgress?.({ ...parts, right }),
  });
  const records = questions.map(({ id }) => found(id));
  return { ...summarize(records, solve.strategy, engine.models), records };
}

function unitOf(question: Question, solve: EvaluationTask["solve"], seed: number): Unit<EvaluationWork> {
  const branches = solve.strategy?.generations ?? generationsOf(solve.budget);
  return { key: question.id, branches, work: { question: bareQuestion(question), seed: seedOf(seed, question.id) } };
}

/** One question of an evaluation. @throws {ThinkTreeError} as Engine.solve, but for CONTEXT_EXCEEDED, which is a wrong answer */
export async function answerOne(
  engine: Pick<Engine, "solve">,
  grader: Pick<Grader, "answerOf" | "grade">,
  solve: EvaluationTask["solve"],
  { question, seed }: EvaluationWork,
  signal: AbortSignal,
): Promise<QuestionRecord> {
  try {
    const answer = await engine.solve(question.question, { ...solve, answerOf: grader.answerOf, seed, signal });
    return await recordOf(question, answer, grader);
  } catch (error) {
    if (ThinkTreeError.isInstance(error) && error.code === "CONTEXT_EXCEEDED") return failedRecord(question);
    throw error;
  }
}

function generationsOf(budget: SolveOptions["budget"]): number {
  return (typeof budget === "number" ? budget : budget?.generations) ?? usualGenerations;
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
