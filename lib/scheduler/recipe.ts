/**
 * How a question is put to a model, and where its answer stands.
 *
 * Owns: the recipe's fields and defaults; reading it off a GGUF's `thinktree.*` metadata.
 * Must not know: any one strategy, the engine's insides.
 */
import type { LoadedModels, ModelInfo } from "../engine/addon.js";
import type { Prompt } from "../engine/codec.js";
import type { TreeOptions } from "../engine/tree.js";
import { ThinkTreeError } from "../errors.js";
import { usualRevision, type Revision } from "../strategies/index.js";
import { aggregations, type Aggregation } from "../verifiers/aggregation.js";

export interface Recipe {
  /** The generator's prompt; `{question}` stands for the question. */
  readonly promptTemplate: string;
  /** A step is the text up to and including it. */
  readonly stepDelimiter: string;
  /** A step that begins with it is the last, and the answer follows it; empty: only the model's end token ends. */
  readonly answerPrefix: string;
  /** The solution ends before any of these texts. */
  readonly stop: readonly string[];
  /** How the generator is asked to revise an attempt. */
  readonly revision: Revision;
}

/** For a model that carries no recipe of its own: plain completion, one step a line. */
const usual: Recipe = {
  promptTemplate: "Question: {question}\nAnswer:",
  stepDelimiter: "\n",
  answerPrefix: "",
  stop: ["\nQuestion:"],
  revision: usualRevision,
};

export function recipeOf(model: ModelInfo): Recipe {
  const own = model.recipe;
  if (own["prompt_template"] === undefined) return usual;
  return {
    promptTemplate: own["prompt_template"],
    stepDelimiter: own["step_delimiter"] ?? usual.stepDelimiter,
    answerPrefix: own["answer_prefix"] ?? usual.answerPrefix,
    stop: [],
    revision: {
      separator: own["reviser.attempt_separator"] ?? usual.revision.separator,
      maxAttempts: positive(own["reviser.max_attempts"]) ?? usual.revision.maxAttempts,
    },
  };
}

function positive(text = ""): number | undefined {
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : undefined;
}

/** Whether a verifier was trained to judge a revision with the attempts before it in view (Snell et al. 2024, sec. 6). */
export function seesAttempts({ recipe }: ModelInfo): boolean {
  return recipe["verifier.sees_attempts"] === "true";
}

/** How a verifier's step scores become one: as its GGUF says; else by its reading. */
export function aggregationOf({ recipe, reading }: ModelInfo): Aggregation {
  const own = aggregations.find((name) => name === recipe["verifier.aggregation"]);
  // One unlikely step spoils a solution; the likelihood of the last says little about the others.
  return own ?? (reading === "likelihood" ? "min" : "last");
}

/** @throws {ThinkTreeError} EMPTY_PROMPT */
export function promptsOf(
  { generator, verifier }: LoadedModels,
  question: string,
): Pick<TreeOptions, "prompt" | "verifierPrompt"> {
  if (question.trim() === "") throw new ThinkTreeError("EMPTY_PROMPT", "the question is empty");
  return {
    prompt: promptFor(question, recipeOf(generator).promptTemplate),
    verifierPrompt: verifier === undefined ? "" : promptFor(question, recipeOf(verifier).promptTemplate),
  };
}

function promptFor(question: string, template: string): Prompt {
  const place = "{question}";
  const at = template.indexOf(place);
  if (at < 0) return { before: template, words: "", after: "" };
  return { before: template.slice(0, at), words: question.trim(), after: template.slice(at + place.length) };
}
