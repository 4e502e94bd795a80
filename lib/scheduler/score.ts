/**
 * The verifier's opinion of a solution that somebody else has written.
 *
 * Owns: putting the solution on a tree and reading its scores. Must not know: how a score is computed.
 */
import type { Ledger } from "../engine/addon.js";
import type { Core } from "../engine/core.js";
import { ThinkTreeError } from "../errors.js";
import { aggregate } from "../verifiers/aggregation.js";
import { aggregationOf, promptsOf, recipeOf } from "./recipe.js";

export interface ScoreOptions {
  /** Cancels: the promise rejects with CANCELLED and nothing is held. */
  readonly signal?: AbortSignal | undefined;
}

export interface ScoredSolution {
  /** One a step, in [0, 1]. */
  readonly scores: readonly number[];
  /** All of them as one, by the verifier's own aggregation. */
  readonly score: number;
  readonly ledger: Ledger;
}

/** @throws {ThinkTreeError} NO_VERIFIER, INVALID_OPTION, EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED, ENGINE_CLOSED */
export async function scoreSolution(
  engine: Core,
  question: string,
  steps: readonly string[],
  { signal }: ScoreOptions = {},
): Promise<ScoredSolution> {
  const { generator, verifier } = engine.models;
  if (verifier === undefined) throw new ThinkTreeError("NO_VERIFIER", "the engine has no verifier to score with");
  if (steps.length === 0) throw new ThinkTreeError("INVALID_OPTION", "steps: a solution has at least one");
  const { steps: ends } = recipeOf(generator);
  const [delimiter = ""] = ends.delimiters;
  await using tree = await engine.openTree({
    ...promptsOf(engine.models, question),
    ...{ seed: 0, tokenBudget: undefined, deadlineMs: undefined, maxLength: undefined, signal },
    ...{ steps: ends, finalPrefix: "", stop: [], sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 } },
  });
  steps.forEach((step, i) => {
    const last = i === steps.length - 1;
    tree.write(tree.root, last || step.endsWith(delimiter) ? step : step + delimiter, { last });
  });
  await tree.score([tree.root]);
  const scores = tree.root.steps.map(({ score }) => {
    if (score !== null) return score;
    throw new ThinkTreeError("CONTEXT_EXCEEDED", "the judge's context has no room for a verdict on these steps");
  });
  return { scores, score: aggregate(scores, aggregationOf(verifier))!, ledger: await tree.close() };
}
