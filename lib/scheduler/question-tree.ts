/**
 * A question as a tree to be grown, as its model's recipe says.
 *
 * Owns: what the recipe and the caller's options come to on a tree; how the model's answers are read.
 * Must not know: who grows it, what becomes of it.
 */
import type { LoadedModels, ModelInfo } from "../engine/addon.js";
import type { StepEnd } from "../engine/codec.js";
import type { TreeOptions } from "../engine/tree.js";
import { answerExtractor } from "../verifiers/answer.js";
import type { AnswerOf } from "../verifiers/solution.js";
import type { Question } from "./conversation.js";
import { promptsOf, recipeOf, seesAttempts } from "./recipe.js";
import type { CheckedOptions } from "./solve-options.js";

/** @throws {ThinkTreeError} EMPTY_PROMPT, INVALID_OPTION: turns in an order that they cannot have */
export function questionTree(models: LoadedModels, question: Question, options: CheckedOptions): TreeOptions {
  const { generator, verifier } = models;
  const recipe = recipeOf(generator);
  const { budget, seed, temperature, topK, topP, minP, maxLength, stopTexts, signal } = options;
  return {
    ...promptsOf(models, question),
    seed,
    verifierSeesContext: verifier !== undefined && seesAttempts(verifier),
    tokenBudget: budget.tokens,
    flopsBudget: budget.flops,
    deadlineMs: budget.milliseconds,
    maxLength,
    steps: recipe.steps,
    finalPrefix: endsAnywhere(recipe.steps) ? "" : recipe.answerPrefix,
    stop: [...recipe.stop, ...stopTexts],
    sampler: { temperature, topK, topP, minP },
    signal,
  };
}

/** Reads the final answer off what the model writes, where nobody says otherwise. */
export function answersOf(generator: ModelInfo): AnswerOf {
  const { answerPrefix, thinking } = recipeOf(generator);
  return answerExtractor({ answerPrefix, ...(thinking && { thinking }) });
}

/** A step that is cut in the middle of a line may begin as the last does and not be it. */
function endsAnywhere({ tokens, leastLogProbability }: StepEnd): boolean {
  return tokens !== undefined || leastLogProbability !== undefined;
}
