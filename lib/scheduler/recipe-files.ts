/**
 * Recipes on disk: those that come with the package, and a user's own.
 *
 * Owns: reading them and finding one by name. Must not know: what is in a recipe.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { ThinkTreeError } from "../errors.js";

type Check<T> = (recipe: unknown, from: string) => T;

export class RecipeFiles<T extends { readonly name: string }> {
  private readonly folder: string;

  /** `others`: recipes that are in no file. `folder` is below models/recipes. */
  constructor(
    folder: string,
    private readonly check: Check<T>,
    private readonly others: readonly T[],
  ) {
    this.folder = fileURLToPath(new URL(`../../models/recipes/${folder}`, import.meta.url));
  }

  /** All that come with the package, by name. */
  async known(): Promise<ReadonlyMap<string, T>> {
    const files = (await readdir(this.folder)).filter((name) => name.endsWith(".json"));
    const recipes = await Promise.all(files.map((name) => this.read(join(this.folder, name))));
    return new Map([...this.others, ...recipes].map((recipe) => [recipe.name, recipe]));
  }

  /**
   * By its name or its file's path (*.json).
   * @throws {ThinkTreeError} INVALID_OPTION: there is none, or it is broken
   */
  async named(name: string): Promise<T> {
    if (name.endsWith(".json")) return this.read(name);
    const known = await this.known();
    const found = known.get(name);
    if (found !== undefined) return found;
    const names = [...known.keys()].sort().join(", ");
    throw new ThinkTreeError("INVALID_OPTION", `no recipe is called "${name}": use a JSON file, or one of ${names}`);
  }

  private async read(path: string): Promise<T> {
    let recipe: unknown;
    try {
      recipe = JSON.parse(await readFile(path, "utf8"));
    } catch (cause) {
      const what = cause instanceof SyntaxError ? "is no JSON" : "cannot be read";
      const message = `the recipe ${path} ${what}: ${(cause as Error).message}`;
      throw new ThinkTreeError("INVALID_OPTION", message, { cause });
    }
    return this.check(recipe, path);
  }
}
