/**
 * How a question is put to a model, and where its answer stands.
 *
 * Owns: the recipe's fields and defaults; reading it off a model's texts: its GGUF's `thinktree.*` metadata, or what stands
 * in their place.
 * Must not know: any one strategy, the engine's insides.
 */
import type { LoadedModels, ModelInfo } from "../engine/addon.js";
import type { Prompt, StepEnd } from "../engine/codec.js";
import type { TreeOptions } from "../engine/tree.js";
import { ThinkTreeError } from "../errors.js";
import { usualRevision, type Revision } from "../strategies/index.js";
import { aggregations, type Aggregation } from "../verifiers/aggregation.js";
import type { Thinking } from "../verifiers/answer.js";
import { completion } from "./generator-recipe.js";
import { stepEndOf } from "./step-rule.js";

export interface Recipe {
  /** The generator's prompt; `{question}` stands for the question. */
  readonly promptTemplate: string;
  readonly steps: StepEnd;
  /** A step that begins with it is the last, and the answer follows it; empty: only the model's end token ends. */
  readonly answerPrefix: string;
  /** The solution ends before any of these texts. */
  readonly stop: readonly string[];
  /** How the generator is asked to revise an attempt. */
  readonly revision: Revision;
  /** Where the generator thinks before it answers. */
  readonly thinking: Thinking | undefined;
}

/** For a model that carries no recipe of its own: plain completion, one step a line. */
const usual: Recipe = {
  promptTemplate: completion.prompt!,
  steps: stepEndOf(completion.steps),
  answerPrefix: "",
  stop: completion.stop!,
  revision: usualRevision,
  thinking: undefined,
};

export function recipeOf(model: ModelInfo): Recipe {
  const own = model.recipe;
  if (own["prompt_template"] === undefined) return usual;
  return {
    promptTemplate: own["prompt_template"],
    steps: stepsOf(own["steps"], own["step_delimiter"]),
    answerPrefix: own["answer_prefix"] ?? usual.answerPrefix,
    stop: JSON.parse(own["stop"] ?? "[]") as string[],
    revision: {
      separator: own["reviser.attempt_separator"] ?? usual.revision.separator,
      maxAttempts: positive(own["reviser.max_attempts"]) ?? usual.revision.maxAttempts,
    },
    thinking: own["thinking"] === undefined ? undefined : thinkingOf(own["thinking"], own["prompt_template"]),
  };
}

function stepsOf(text: string | undefined, delimiter: string | undefined): StepEnd {
  if (text !== undefined) return JSON.parse(text) as StepEnd;
  return delimiter === undefined ? usual.steps : { delimiters: delimiter === "" ? [] : [delimiter] };
}

/** A prompt may open the first thought itself. */
function thinkingOf(text: string, prompt: string): Thinking {
  const { begin, end } = JSON.parse(text) as { begin: string; end: string };
  return { begin, end, begun: prompt.lastIndexOf(begin) > prompt.lastIndexOf(end) };
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
