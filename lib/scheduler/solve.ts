/**
 * One question, from text to answer.
 *
 * Owns: whether the caller's strategy or the policy decides.
 * Must not know: any one strategy's insides, tokens' ids, KV cells.
 */
import type { Core } from "../engine/core.js";
import { ThinkTreeError } from "../errors.js";
import { searchOptimally } from "./compute-optimal.js";
import type { Question } from "./conversation.js";
import type { Policy } from "./policy.js";
import { QuestionSearch } from "./question-search.js";
import { checkOptions, type Answer, type SolveOptions } from "./solve-options.js";

/** @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, INVALID_OPTION, NO_VERIFIER, CANCELLED, ENGINE_CLOSED, DECODE_FAILED */
export async function solve(
  engine: Core,
  policy: Policy,
  question: Question,
  options: SolveOptions = {},
): Promise<Answer> {
  const checked = checkOptions(options, policy);
  const { strategy, budget, estimate = policy.estimate, earlyStop } = checked;
  if (strategy !== undefined && budget.generations !== undefined && strategy.generations > budget.generations) {
    throw new ThinkTreeError(
      "INVALID_OPTION",
      `${strategy.name} costs ${strategy.generations} generations, the budget is ${budget.generations}: lower its n`,
    );
  }
  await using search = await QuestionSearch.open(engine, question, checked);
  if (strategy !== undefined) {
    await search.run(strategy);
    return await search.answer(strategy, null);
  }
  const verified = engine.models.verifier !== undefined;
  const decision = await searchOptimally(search, { policy, budget, estimate, earlyStop, verified });
  return await search.answer({ name: "compute-optimal", options: { estimate } }, decision);
}
