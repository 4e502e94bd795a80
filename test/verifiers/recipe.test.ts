import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { checkRecipe, frameOf, type VerifierRecipe } from "../../lib/verifiers/recipe.js";

const folder = new URL("../../models/recipes/", import.meta.url);
const tagged: VerifierRecipe = { name: "mine", next: "{step} #", read: { pair: ["+", "-"] }, aggregation: "min" };

describe("a recipe that comes with the package", () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith(".json")))(
    "is sound and called as its file: %s",
    (file) => {
      const recipe = checkRecipe(JSON.parse(readFileSync(new URL(file, folder), "utf8")), file);
      expect(`${recipe.name}.json`).toBe(file);
      for (const pattern of recipe.matches ?? []) expect(() => new RegExp(pattern, "i")).not.toThrow();
      if (recipe.chat === undefined) expect(recipe.prompt).toContain("{question}");
      expect(recipe.source).toMatch(/^https:/);
    },
  );
});

describe("a step's place", () => {
  it("parts a template", () => {
    expect(frameOf(" {step} #\n")).toEqual({ before: " ", after: " #\n", trims: false });
    expect(frameOf("{step|trim}")).toEqual({ before: "", after: "", trims: true });
  });

  it.each(["", "step", "{step}{step}", "{step} {step|trim}", "{ step }"])("is not in %j", (template) =>
    expect(frameOf(template)).toBeUndefined(),
  );
});

describe("a recipe", () => {
  it("has its defaults", () =>
    expect(checkRecipe({ name: "r", read: "likelihood", aggregation: "min" }, "r.json")).toEqual({
      ...{ name: "r", read: "likelihood", aggregation: "min", next: "{step}", words: "joined" },
    }));

  it.each<[string, object, RegExp]>([
    ["a template without a step", { next: "#" }, /"\{step\}" in them, once/],
    ["a first template with two", { first: "{step}{step}" }, /"\{step\}" in them, once/],
    [
      "a chat and a prompt",
      { chat: [{ role: "user", content: "{question}" }], prompt: "{question}" },
      /leave those out/,
    ],
    ["a chat and a probe", { chat: [{ role: "user", content: "{question}" }], probe: "x" }, /leave those out/],
    [
      "a likelihood before the last token",
      { read: "likelihood", beforeLast: true },
      /beforeLast: is for a pair or a head/,
    ],
    ["a probe before the last token", { probe: "x", beforeLast: true }, /beforeLast: is for/],
    ["a chat around a likelihood", { read: "likelihood", chat: [{ role: "user", content: "{step}" }] }, /no chat/],
    ["a ratio without beta", { read: { ratio: {} } }, /read/],
    ["a ratio's probe", { read: { ratio: { beta: 1 } }, probe: "x" }, /no probe/],
    ["a pair that is read on", { beyond: 2 }, /likelihood or a ratio whose words are joined/],
    ["words apart that are read on", { read: { ratio: { beta: 1 } }, words: "apart", end: "." }, /words are joined/],
    ["one token to compare", { read: { pair: ["+"] } }, /read/],
    ["a head without classes", { read: { head: "softmax", classes: [] } }, /read/],
    ["an aggregation of its own", { aggregation: "median" }, /aggregation/],
    ["a field of its own", { tag: "#" }, /tag/],
  ])("with %s is refused", (_, change, message) => {
    const check = () => checkRecipe({ ...tagged, ...change }, "mine.json");
    expect(check).toThrow(message);
    expect(check).toThrow(/^mine\.json is no verifier's recipe: /);
  });
});
