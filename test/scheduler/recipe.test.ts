import { describe, expect, it } from "vitest";
import type { ModelInfo } from "../../lib/engine/addon.js";
import { recipeOf } from "../../lib/scheduler/recipe.js";
import { usualRevision } from "../../lib/strategies/index.js";

const model = (recipe: Record<string, string>): ModelInfo => ({
  ...{ parameters: 1, vocabulary: 1, positions: 1, kvCells: 1024, width: 1, weightBytes: 0 },
  recipe,
});
const template = { prompt_template: "Q: {question}\n" };

describe("a recipe's revision", () => {
  it("is the model's own", () => {
    const own = { "reviser.attempt_separator": "Try again:\n", "reviser.max_attempts": "3" };
    expect(recipeOf(model({ ...template, ...own })).revision).toEqual({ separator: "Try again:\n", maxAttempts: 3 });
  });

  it("is plain words and the paper's window for every other model", () => {
    expect(recipeOf(model({})).revision).toEqual(usualRevision);
    expect(recipeOf(model(template)).revision).toEqual(usualRevision);
  });

  it.each(["0", "-1", "four", "1e9", ""])("does not trust a window of %j", (text) => {
    expect(recipeOf(model({ ...template, "reviser.max_attempts": text })).revision.maxAttempts).toBe(4);
  });
});
