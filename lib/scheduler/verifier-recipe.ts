/**
 * What a verifier's recipe means to the engine.
 *
 * Owns: a recipe's texts and readings as the engine takes them; what goes with what.
 * Must not know: searches, how a score is computed.
 */
import { existsSync } from "node:fs";

import { fileReader } from "../engine/file-reader.js";
import type { Adapter, EngineOptions } from "../engine/options.js";
import { ThinkTreeError } from "../errors.js";
import {
  comparesModels,
  frameOf,
  type CheckedRecipe,
  type JudgeReading,
  type VerifierRecipe,
} from "../verifiers/recipe.js";
import { renderChat, tokensOf, type Turn } from "./chat-template.js";
import { judgeOf, type Render } from "./judge-recipe.js";
import { chosenRecipe, headOf, isHeadAlone, textsOf, toldBy, type Metadata } from "./verifier-recognition.js";

export interface VerifierFile {
  /**
   * A model; or a reward head alone, which then reads the generator's own states and costs no model's memory and no tokens
   * beyond the last of a step that no branch goes on from. Its recipe is a head's without words around the steps; default: the
   * sigmoid of its first output, by "min".
   */
  readonly path: string;
  /** Layers on the GPU, if the build has one; -1: all. Default -1. */
  readonly gpuLayers?: number | undefined;
  /** LoRA adapters in GGUF files, at most 16; their changes add up. */
  readonly adapters?: readonly Adapter[] | undefined;
  /**
   * The name of a recipe that comes with thinktree (models/recipes), a JSON file's path, or a recipe; "likelihood" for any
   * language model. Default: as an adapter says (import-lora writes it), or the GGUF says or is called, else likelihood.
   */
  readonly recipe?: string | VerifierRecipe | undefined;
  /** Of a judge: analyses of each step, 1 to 256, whose verdicts' mean is the score. Default: as the recipe says. */
  readonly votes?: number | undefined;
  /** Where the recipe reads a reward head: its sidecar. Default: NAME.head.gguf beside an adapter, or beside the model. */
  readonly head?: string | undefined;
  /**
   * Where the recipe reads a ratio (an implicit PRM, as EurusPRM): the model that the verifier is compared with, which is the
   * one that it was trained from and has the same tokens. It needs memory and time like the verifier itself.
   */
  readonly reference?: string | ReferenceFile | undefined;
}

export interface ReferenceFile {
  readonly path: string;
  /** As the verifier's. */
  readonly gpuLayers?: number | undefined;
}

type EngineVerifier = Extract<EngineOptions["verifier"], { path: string }>;
type OwnHead = Extract<EngineOptions["verifier"], { onGenerator: true }>;
type Reading = Exclude<NonNullable<EngineVerifier["reading"]>, { kind: "judge" }>;

const firstOutput: CheckedRecipe = {
  ...{ name: "states", next: "{step}", words: "own", read: { head: "sigmoid", classes: [0] }, aggregation: "min" },
};

/**
 * With what its recipe says in the place of its name.
 * @throws {ThinkTreeError} INVALID_OPTION: no such recipe, no head or reference for it, or votes for one that is no judge's;
 * UNSUPPORTED_MODEL: a chat template that fails
 */
export async function readVerifier(
  file: string | VerifierFile,
  { metadataTexts } = fileReader(),
): Promise<EngineVerifier | OwnHead> {
  const { path, gpuLayers, adapters, recipe, head, reference, votes } =
    typeof file === "string" ? ({ path: file } as VerifierFile) : file;
  const model = { path, ...(gpuLayers !== undefined && { gpuLayers }), ...(adapters && { adapters }) };
  const metadata = await metadataTexts(path);
  const isHead = isHeadAlone(metadata);
  const wanted = recipe ?? (await toldBy(adapters, metadataTexts));
  const chosen = isHead && wanted === undefined ? firstOutput : await chosenRecipe(wanted, path, metadata);
  if (isHead) return ownHead(path, chosen, { gpuLayers, adapters, head, reference, votes });
  assertReference(chosen, reference);
  const { read } = chosen;
  if (typeof read === "object" && "analysis" in read) {
    return judgeFile(chosen, read.analysis, model, metadata, votes);
  }
  if (votes !== undefined) {
    const mend = "leave votes out, or name a judge's recipe, such as genprm";
    throw new ThinkTreeError("INVALID_OPTION", `votes are a judge's, and the recipe ${chosen.name} is none: ${mend}`);
  }
  const { prompt, probe } = chosen.chat ? chatOf(chosen.chat, path, metadata) : chosen;
  const { name, first = chosen.next, next, words, oneLine, beforeLast, beyond, end } = chosen;
  return {
    ...model,
    reading: {
      ...{ words, first: frameOf(first)!, next: frameOf(next)!, ...readOf(read, name, head ?? headOf(path, adapters)) },
      ...(probe !== undefined && { probe }),
      ...(oneLine !== undefined && { oneLine }),
      ...(beforeLast !== undefined && { beforeLast }),
      ...(beyond !== undefined && { beyond }),
      ...(end !== undefined && { end }),
    },
    ...(reference !== undefined && {
      reference: typeof reference === "string" ? { path: reference } : { ...reference },
    }),
    recipe: {
      ...textsOf(chosen),
      ...(prompt !== undefined && { prompt_template: prompt }),
    },
  };
}

/** @throws {ThinkTreeError} INVALID_OPTION: what only a model of its own could have or do */
function ownHead(path: string, recipe: CheckedRecipe, others: Omit<VerifierFile, "path" | "recipe">): OwnHead {
  const refused = Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : name));
  const { name, read, next, words } = recipe;
  const known = ["name", "source", "matches", "read", "next", "words", "aggregation"];
  refused.push(...Object.keys(recipe).flatMap((field) => (known.includes(field) ? [] : `the recipe's ${field}`)));
  if (next !== "{step}") refused.push("words around the steps");
  if (typeof read === "string" || !("head" in read)) refused.push(`a recipe that reads no head, as ${name}`);
  else if (words !== "own") refused.push("words other than its own");
  else if (refused.length === 0) {
    const frame = frameOf(next)!;
    const { head: activation, classes } = read;
    return {
      onGenerator: true,
      reading: { kind: "head", words, first: frame, next: frame, head: path, activation, classes },
      recipe: textsOf(recipe),
    };
  }
  const why = `${path} is a reward head alone, which reads the generator's own states and cannot have`;
  throw new ThinkTreeError(
    "INVALID_OPTION",
    `${why} ${refused.join(", ")}: leave that out, or name the model beside the head`,
  );
}

/** @throws {ThinkTreeError} INVALID_OPTION */
function assertReference({ name, read }: CheckedRecipe, reference: VerifierFile["reference"]): void {
  const compares = comparesModels(read);
  if (compares === (reference !== undefined)) return;
  throw new ThinkTreeError(
    "INVALID_OPTION",
    compares
      ? `the recipe ${name} compares the verifier with the model that it was trained from: name that one as the verifier's ` +
          `reference (--verifier-reference FILE; EurusPRM's is Qwen2.5-Math-7B-Instruct), or read it by the recipe "likelihood"`
      : `the recipe ${name} compares no models: leave the verifier's reference out, or name a recipe that reads a ratio`,
  );
}

function judgeFile(
  recipe: CheckedRecipe,
  analysis: JudgeReading,
  model: Pick<VerifierFile, "path" | "gpuLayers" | "adapters">,
  metadata: Metadata,
  votes = analysis.votes,
): EngineVerifier {
  const { path } = model;
  const render: Render = (turns, writesOn) => rendered(templateOf(path, metadata), turns, path, metadata, writesOn);
  const { rules, prompt } = judgeOf(recipe, analysis, votes, render);
  return {
    ...model,
    reading: rules,
    recipe: { ...textsOf(recipe, votes), prompt_template: prompt },
  };
}

type Read = Exclude<CheckedRecipe["read"], { analysis: unknown }>;

function readOf(read: Read, name: string, sidecar: string): Omit<Reading, "words" | "first" | "next"> {
  if (read === "likelihood") return { kind: "likelihood" };
  if ("ratio" in read) return { kind: "ratio", beta: read.ratio.beta };
  if ("pair" in read) return { kind: "pair", positive: read.pair[0], negative: read.pair[1] };
  if (!existsSync(sidecar)) {
    const mend = "thinktree import-prm makes one of the published checkpoint";
    throw new ThinkTreeError(
      "INVALID_OPTION",
      `the recipe ${name} reads a reward head, and there is no ${sidecar}: ${mend}`,
    );
  }
  return { kind: "head", head: sidecar, activation: read.head, classes: read.classes };
}

/**
 * Before the step, with the question's place in it, and after the step.
 * @throws {ThinkTreeError} UNSUPPORTED_MODEL: the model has no such chat template
 */
export function chatOf(chat: NonNullable<CheckedRecipe["chat"]>, path: string, metadata: Metadata) {
  const template = templateOf(path, metadata);
  const [prompt, probe, ...more] = rendered(template, chat, path, metadata, false).split("{step}");
  if (prompt === undefined || probe === undefined || more.length > 0) {
    throw new ThinkTreeError("UNSUPPORTED_MODEL", `the chat template of ${path} has no one place for a step`);
  }
  return { prompt, probe };
}

function templateOf(path: string, metadata: Metadata): string {
  const template = metadata.get("tokenizer.chat_template");
  if (template === undefined) {
    throw new ThinkTreeError(
      "UNSUPPORTED_MODEL",
      `${path} has no chat template: give its recipe a prompt instead of a chat`,
    );
  }
  return template;
}

function rendered(
  template: string,
  chat: readonly Turn[],
  path: string,
  metadata: Metadata,
  writesOn: boolean,
): string {
  try {
    return renderChat(template, chat, tokensOf(metadata), { writesOn, thinks: writesOn });
  } catch (cause) {
    const why = `the chat template of ${path} cannot be used: ${(cause as Error).message}`;
    throw new ThinkTreeError("UNSUPPORTED_MODEL", `${why}; give its recipe a prompt instead of a chat`, { cause });
  }
}
