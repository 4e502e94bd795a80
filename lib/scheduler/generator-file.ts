/**
 * Which recipe a generator is asked by, and what that means to the engine.
 *
 * Owns: recognising a recipe by a model's file; the prompt that its chat template makes of a question.
 * Must not know: searches, what becomes of the text.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";

import { fileReader, type FileReader } from "../engine/file-reader.js";
import type { Adapter, EngineOptions } from "../engine/options.js";
import { ThinkTreeError } from "../errors.js";
import { promptOfTurns, type ChatRecipe } from "./chat-recipe.js";
import { tokensOf } from "./chat-template.js";
import {
  checkGeneratorRecipe,
  completion,
  questionPlace,
  systemPlace,
  type CheckedGeneratorRecipe,
  type GeneratorRecipe,
} from "./generator-recipe.js";
import { RecipeFiles } from "./recipe-files.js";
import { stepEndText, type StepRule } from "./step-rule.js";

export interface GeneratorFile {
  readonly path: string;
  /** Layers on the GPU, if the build has one; -1: all. Default -1. */
  readonly gpuLayers?: number | undefined;
  /** LoRA adapters in GGUF files, at most 16; their changes add up. */
  readonly adapters?: readonly Adapter[] | undefined;
  /**
   * The name of a recipe that comes with thinktree (models/recipes/generators), a JSON file's path, or a recipe;
   * "completion" for any language model. Default: as the GGUF says, else by its chat template, else completion.
   */
  readonly recipe?: string | GeneratorRecipe | undefined;
  /** What the model is told besides the question; "": nothing. Default: as the recipe says. */
  readonly system?: string | undefined;
  /** Where a step ends. Default: as the recipe, or the GGUF, says. */
  readonly steps?: StepRule | undefined;
}

type Metadata = ReadonlyMap<string, string>;
type EngineGenerator = Extract<EngineOptions["generator"], { path: string }>;

const files = new RecipeFiles("generators/", checkGeneratorRecipe, [completion]);

/**
 * With the recipe's texts in the place of its name.
 * @throws {ThinkTreeError} INVALID_OPTION: no such recipe, or no place for a system prompt in it; UNSUPPORTED_MODEL: a chat
 * template that fails, or has no place for a question
 */
export async function readGenerator(
  file: string | GeneratorFile,
  { metadataTexts }: Pick<FileReader, "metadataTexts"> = fileReader(),
): Promise<EngineGenerator> {
  const { path, gpuLayers, adapters, recipe, system, steps } =
    typeof file === "string" ? ({ path: file } as GeneratorFile) : file;
  const model = { path, ...(gpuLayers !== undefined && { gpuLayers }), ...(adapters && { adapters }) };
  const metadata = await metadataTexts(path);
  if (recipe === undefined && metadata.has("thinktree.prompt_template")) {
    const own = steps && { recipe: { steps: stepEndText(steps), recipe_digest: digestOf(stepEndText(steps)) } };
    if (system === undefined) return { ...model, ...own };
    throw noPlaceFor("what the model says of itself");
  }
  const chosen = await (recipe === undefined
    ? recognised(path, metadata)
    : typeof recipe === "string"
      ? files.named(recipe)
      : checkGeneratorRecipe(recipe, "generator.recipe"));
  const told = { ...chosen, system: system?.trim() ?? chosen.system, steps: steps ?? chosen.steps };
  if (system !== undefined && !contentsOf(chosen).some((content) => content.includes(systemPlace))) {
    throw noPlaceFor(`the recipe ${chosen.name}`);
  }
  return { ...model, recipe: textsOf(told, askedBy(told, path, metadata)) };
}

async function recognised(path: string, metadata: Metadata): Promise<CheckedGeneratorRecipe> {
  const template = metadata.get("tokenizer.chat_template");
  if (template === undefined) return completion;
  const known = await files.known();
  const names = [metadata.get("general.name"), metadata.get("general.basename"), basename(path)];
  const like = (patterns: readonly string[] = [], texts: readonly (string | undefined)[]) =>
    patterns.some((pattern) => texts.some((text) => text !== undefined && new RegExp(pattern, "i").test(text)));
  const all = [...known.values()];
  const byTemplate = all.find(({ matchesTemplate }) => like(matchesTemplate, [template]));
  return byTemplate ?? all.find(({ matches }) => like(matches, names)) ?? known.get("general")!;
}

/** As `recipeOf` reads them; each is there, so that nothing stays of what the file says of itself. */
function textsOf(recipe: CheckedGeneratorRecipe, { prompt, chat }: Asking): Readonly<Record<string, string>> {
  const { name, steps, answerPrefix = "", stop = [], thinking } = recipe;
  return {
    recipe: name,
    // Not the rendered prompt, in which some templates put the date.
    recipe_digest: digestOf(JSON.stringify({ ...recipe, steps: stepEndText(steps) })),
    prompt_template: prompt,
    ...(chat && { chat: JSON.stringify(chat) }),
    steps: stepEndText(steps),
    answer_prefix: answerPrefix,
    stop: JSON.stringify(stop),
    ...(thinking && { thinking: JSON.stringify(thinking) }),
  };
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function contentsOf({ chat, prompt = "" }: CheckedGeneratorRecipe): string[] {
  return chat?.map(({ content }) => content) ?? [prompt];
}

interface Asking {
  /** With a place for the question. */
  readonly prompt: string;
  /** For questions that come with turns before them; undefined: the recipe is no chat. */
  readonly chat?: ChatRecipe;
}

function askedBy(recipe: CheckedGeneratorRecipe, path: string, metadata: Metadata): Asking {
  const { chat: turns, prompt = "", system } = recipe;
  if (system.includes(questionPlace)) {
    throw new ThinkTreeError("INVALID_OPTION", `system: "${questionPlace}" has no meaning there: leave it out`);
  }
  if (turns === undefined) return { prompt: prompt.replaceAll(systemPlace, () => system) };
  const template = metadata.get("tokenizer.chat_template");
  if (template === undefined) throw unusable(path, "it has none");
  const chat: ChatRecipe = {
    ...{ template, tokens: tokensOf(metadata), turns, system },
    ...(recipe.thinking && { thinking: recipe.thinking }),
  };
  try {
    return { prompt: promptOfTurns(chat, [{ role: "user", content: questionPlace }]).join(""), chat };
  } catch (error) {
    throw unusable(path, (error as Error).message);
  }
}

function unusable(path: string, why: string): ThinkTreeError {
  return new ThinkTreeError(
    "UNSUPPORTED_MODEL",
    `the chat template of ${path} cannot be used: ${why}; take the recipe "completion", or one with a prompt of your own`,
  );
}

function noPlaceFor(whose: string): ThinkTreeError {
  const mend = "leave it out, or name a recipe with a chat, such as general";
  return new ThinkTreeError("INVALID_OPTION", `system: ${whose} has no place for it: ${mend}`);
}
