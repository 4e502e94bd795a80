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
import { usualRevision, type Revision } from "../strategies/index.js";
import { aggregations, type Aggregation } from "../verifiers/aggregation.js";
import type { Thinking } from "../verifiers/answer.js";
import { askedInTurns, type ChatRecipe } from "./chat-recipe.js";
import { asText, turnsOf, type Question } from "./conversation.js";
import { completion, questionPlace } from "./generator-recipe.js";
import { stepEndOf } from "./step-rule.js";

export interface Recipe {
  /** The generator's prompt; `{question}` stands for the question. */
  readonly promptTemplate: string;
  /** How it is asked a question that has turns before it; undefined: as one text. */
  readonly chat: ChatRecipe | undefined;
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
  chat: undefined,
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
    chat: own["chat"] === undefined ? undefined : (JSON.parse(own["chat"]) as ChatRecipe),
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

/**
 * A verifier, and a generator that is not asked by a chat, read the turns before a question as plain text.
 * @throws {ThinkTreeError} EMPTY_PROMPT, INVALID_OPTION: turns in an order that they cannot have
 */
export function promptsOf(
  { generator, verifier }: LoadedModels,
  question: Question,
): Pick<TreeOptions, "prompt" | "verifierPrompt"> {
  const turns = turnsOf(question);
  const text = asText(turns);
  const { chat, promptTemplate } = recipeOf(generator);
  return {
    prompt: chat !== undefined && turns.length > 1 ? askedInTurns(chat, turns) : promptFor(text, promptTemplate),
    verifierPrompt: verifier === undefined ? "" : promptFor(text, recipeOf(verifier).promptTemplate),
  };
}

function promptFor(question: string, template: string): Prompt {
  const at = template.indexOf(questionPlace);
  if (at < 0) return [template];
  return [template.slice(0, at), question.trim(), template.slice(at + questionPlace.length)];
}
