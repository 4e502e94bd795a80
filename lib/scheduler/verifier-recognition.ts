/**
 * Which recipe a verifier is read by, told by its files.
 *
 * Owns: the recipes that come with the package; recognising one by a model's file or an adapter's; the sidecar of a reward head.
 * Must not know: searches, what a recipe means.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename } from "node:path";

import { fileReader, type FileReader } from "../engine/file-reader.js";
import type { Adapter } from "../engine/options.js";
import { headArchitecture, headBeside, recipeKey } from "../models/heads.js";
import {
  checkRecipe,
  comparesModels,
  likelihood,
  type CheckedRecipe,
  type VerifierRecipe,
} from "../verifiers/recipe.js";
import { RecipeFiles } from "./recipe-files.js";

export type Metadata = ReadonlyMap<string, string>;

const files = new RecipeFiles("", checkRecipe, [likelihood]);

/** Whether the file is a reward head's, without a model. */
export function isHeadAlone(metadata: Metadata): boolean {
  return metadata.get("general.architecture") === headArchitecture;
}

export interface RecognisedRecipe {
  readonly recipe: CheckedRecipe;
  /** The sidecar that it would need and has not. */
  readonly missingHead: string | null;
  readonly needsReference: boolean;
}

/** How a file would be read as a verifier unless a recipe is named. */
export async function recognisedRecipe(path: string): Promise<RecognisedRecipe> {
  const recipe = await recognised(path, await fileReader().metadataTexts(path));
  const sidecar = headBeside(path);
  const missing = typeof recipe.read === "object" && "head" in recipe.read && !existsSync(sidecar);
  return { recipe, missingHead: missing ? sidecar : null, needsReference: comparesModels(recipe.read) };
}

/** What a model's `recipe` tells of it. `votes`: a judge's. */
export function textsOf(recipe: CheckedRecipe, votes?: number): Readonly<Record<string, string>> {
  const digest = createHash("sha256")
    .update(JSON.stringify([recipe, votes]))
    .digest("hex");
  return {
    "verifier.recipe": recipe.name,
    "verifier.recipe_digest": digest,
    "verifier.aggregation": recipe.aggregation,
    ...(votes !== undefined && { "verifier.votes": String(votes) }),
  };
}

/** As somebody says, else by what the model says of itself or is called. @throws {ThinkTreeError} INVALID_OPTION */
export async function chosenRecipe(
  recipe: string | VerifierRecipe | undefined,
  path: string,
  metadata: Metadata,
): Promise<CheckedRecipe> {
  if (recipe === undefined) return recognised(path, metadata);
  return typeof recipe === "string" ? files.named(recipe) : checkRecipe(recipe, "verifier.recipe");
}

/** The recipe that an adapter which makes a verifier of a model says it was trained for. */
export async function toldBy(
  adapters: readonly Adapter[] = [],
  metadataTexts: FileReader["metadataTexts"],
): Promise<string | undefined> {
  for (const adapter of adapters) {
    const told = (await metadataTexts(fileOf(adapter))).get(recipeKey);
    if (told !== undefined) return told;
  }
  return undefined;
}

/** What the file says of itself comes before what it is called. */
async function recognised(path: string, metadata: Metadata): Promise<CheckedRecipe> {
  const own = metadata.get(recipeKey);
  if (own !== undefined) return files.named(own);
  if (metadata.has("thinktree.verifier.reading")) return embeddedRecipe(metadata);
  const names = [metadata.get("general.name"), metadata.get("general.basename"), basename(path)];
  for (const recipe of (await files.known()).values()) {
    const matches = (recipe.matches ?? []).map((pattern) => new RegExp(pattern, "i"));
    if (matches.some((pattern) => names.some((name) => name !== undefined && pattern.test(name)))) return recipe;
  }
  return likelihood;
}

/** As models/train/export.py writes it: a tag's token after each step. */
function embeddedRecipe(metadata: Metadata): CheckedRecipe {
  const own = (key: string) => metadata.get(`thinktree.verifier.${key}`);
  const tagged = {
    ...{ next: `{step}${own("tag")}`, words: "own", read: { pair: [own("positive"), own("negative")] } },
  };
  const aggregation = own("aggregation") ?? likelihood.aggregation;
  const reading = own("reading") === "tag" ? tagged : likelihood;
  return checkRecipe({ ...reading, name: own("reading"), aggregation }, "thinktree.verifier.* of the model");
}

/** One that was trained with an adapter comes before the model's own. */
export function headOf(path: string, adapters: readonly Adapter[] = []): string {
  return adapters.map((adapter) => headBeside(fileOf(adapter))).find((file) => existsSync(file)) ?? headBeside(path);
}

function fileOf(adapter: Adapter): string {
  return typeof adapter === "string" ? adapter : adapter.path;
}
