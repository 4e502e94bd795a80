/** A reward head alone as the verifier: it reads the generator's own states, with the real models. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { beamSearch, bestOfN, Engine, type ModelOptions, type VerifierRecipe } from "../../lib/index.js";
import { writeHead } from "../support/heads.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-head-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const generator = fileURLToPath(new URL("../../models/tiny-generator.gguf", import.meta.url));
const question = "Mia has 17 marbles. She buys 26 more. How many marbles does Mia have now?";
const path = join(folder, "states.head.gguf");

beforeAll(async () => {
  await using engine = await Engine.load({ generator, verifier: null });
  await writeHead(path, engine.models.generator.width);
});

/** The same head on a model of its own, which is the generator's file once more and reads the same words. */
async function besideModel(): Promise<ModelOptions["verifier"]> {
  await using engine = await Engine.load({ generator, verifier: null });
  const prompt = engine.models.generator.recipe["prompt_template"]!;
  const recipe: VerifierRecipe = {
    name: "same",
    prompt,
    words: "own",
    read: { head: "sigmoid", classes: [0] },
    aggregation: "min",
  };
  return { path: generator, head: path, recipe };
}

describe("a head on the generator's own states", () => {
  it("scores as on a model of its own, without that model's tokens", async () => {
    await using own = await Engine.load({ generator, verifier: path });
    await using beside = await Engine.load({ generator, verifier: await besideModel() });
    expect(own.models.verifier).toMatchObject({ reading: "head", kvCells: 0, weightBytes: 0 });
    for (const strategy of [
      bestOfN({ n: 8, aggregation: "min" }),
      beamSearch({ n: 8, beamWidth: 2, aggregation: "min" }),
    ]) {
      const [here, there] = [
        await own.solve(question, { strategy, seed: 5 }),
        await beside.solve(question, { strategy, seed: 5 }),
      ];
      expect(here.text).toBe(there.text);
      expect(here.steps.length).toBeGreaterThan(1);
      here.steps.forEach(({ score }, i) => expect(score).toBeCloseTo(there.steps[i]!.score!, 3));
      expect(here.ledger).toMatchObject({ verifierTokens: 0, verifierPromptTokens: 0 });
      expect(there.ledger.verifierTokens).toBeGreaterThan(10);
      expect(here.ledger.generatedTokens).toBe(there.ledger.generatedTokens);
      expect(here.ledger.flops).toBeLessThan(0.7 * there.ledger.flops);
    }
    expect(own.stats()).toMatchObject({ kvCells: 0, verifierDecodes: 0, searches: 0 });
  });

  it("scores solutions that are given, and works in a process of its own", async () => {
    await using engine = await Engine.load({ generator, verifier: path, isolation: "process" });
    const steps = ["17+26=43\n", "A: 43\n"];
    const [alone, both] = await Promise.all([engine.score(question, steps.slice(0, 1)), engine.score(question, steps)]);
    expect(both.scores).toHaveLength(2);
    expect(both.scores[0]).toBeCloseTo(alone.score, 3);
  });

  it("takes a recipe of a head without words around the steps, and nothing else", async () => {
    const recipe: VerifierRecipe = {
      name: "mine",
      words: "own",
      read: { head: "sigmoid", classes: [0] },
      aggregation: "last",
    };
    await using engine = await Engine.load({ generator, verifier: { path, recipe } });
    expect(engine.models.verifier!.recipe).toMatchObject({ "verifier.recipe": "mine", "verifier.aggregation": "last" });
    const wrong: ModelOptions["verifier"][] = [
      { path, recipe: { ...recipe, prompt: "{question}" } },
      { path, recipe: { ...recipe, next: "{step}+" } },
      { path, recipe: { ...recipe, words: "joined" } },
      { path, recipe: "likelihood" },
      { path, gpuLayers: 3 },
      { path, votes: 3 },
    ];
    for (const verifier of wrong) {
      const message = expect.stringMatching(/generator's own states and cannot have|votes are/) as string;
      await expect(Engine.load({ generator, verifier })).rejects.toMatchObject({ code: "INVALID_OPTION", message });
    }
  });

  it("is refused where it is another model's", async () => {
    const other = join(folder, "other.head.gguf");
    await writeHead(other, 24);
    await expect(Engine.load({ generator, verifier: other })).rejects.toMatchObject({
      ...{ code: "INVALID_OPTION", message: expect.stringMatching(/24 numbers/) as string },
    });
  });
});
