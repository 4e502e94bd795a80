/** How a generator is asked: by its own metadata, its chat template or none, as its file or a person says. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Engine } from "../../lib/index.js";
import { importPrm } from "../../lib/models/import-prm.js";
import { readGenerator } from "../../lib/scheduler/generator-file.js";
import type { GeneratorRecipe } from "../../lib/scheduler/generator-recipe.js";
import { writeCheckpoint, type CheckpointName } from "../support/checkpoints.js";
import { arrayType, serialiseGguf, stringType, type Entry } from "../support/gguf-file.js";
import { chatTemplates } from "../support/hugging-face-tokenizers.js";
import { buildModelProbe, ModelProbe } from "../support/model-probe.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-generator-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const uint32 = 4;

/** A model's file without a model: what it says of itself. */
function fileOf(texts: Readonly<Record<string, string>>, name = "model"): string {
  const own = join(folder, String(++files));
  mkdirSync(own);
  const text = (key: string, value: string): Entry => ({
    ...{ key, type: stringType, value: Buffer.from(value).toString("latin1") },
  });
  const entries: Entry[] = [
    text("general.architecture", "llama"),
    { key: "tokenizer.ggml.tokens", type: arrayType, element: stringType, value: ["<unk>", "<s>", "</s>"] },
    { key: "tokenizer.ggml.bos_token_id", type: uint32, value: 1 },
    { key: "tokenizer.ggml.eos_token_id", type: uint32, value: 2 },
    ...Object.entries(texts).map(([key, value]) => text(key, value)),
  ];
  const path = join(own, `${name}.gguf`);
  writeFileSync(path, serialiseGguf({ magic: "GGUF", version: 3, entries, tensors: [] }));
  return path;
}

async function recipeOf(path: string, options: { system?: string; recipe?: string | GeneratorRecipe } = {}) {
  const { recipe } = await readGenerator({ path, ...options });
  return recipe!;
}

const plain = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}[assistant]";
const chat = (template = plain, name?: string) => fileOf({ "tokenizer.chat_template": template }, name);

describe("the recipe", () => {
  it("is plain completion where the file says nothing", async () => {
    const recipe = await recipeOf(fileOf({}));
    expect(recipe).toMatchObject({ recipe: "completion", prompt_template: "Question: {question}\nAnswer:" });
  });

  it("is the file's own where it has one", async () => {
    const path = fileOf({ "thinktree.prompt_template": "Q: {question}\n", "tokenizer.chat_template": plain });
    expect(await readGenerator(path)).toEqual({ path });
    await expect(readGenerator({ path, system: "Be brief." })).rejects.toMatchObject({
      ...{ code: "INVALID_OPTION", message: expect.stringMatching(/no place.*name a recipe/) as string },
    });
    expect(await recipeOf(path, { recipe: "general", system: "Be brief." })).toMatchObject({
      prompt_template: "<s>[system]Be brief.</s>[user]{question}</s>[assistant]",
    });
  });

  it.each([
    ["general", "Llama-3.2-3B-Instruct-Q8_0", plain],
    ["math", "qwen2.5-math-7b-instruct-q4_k_m", plain],
    ["reasoning", "Qwen3-8B-Math", `${plain}{% if false %}</think>{% endif %}`],
  ])("is %s for %s by what its file is called and its template knows", async (expected, name, template) => {
    expect(await recipeOf(chat(template, name))).toMatchObject({ recipe: expected, steps: JSON.stringify({ delimiters: ["\n\n"] }) });
  });

  it("puts the instructions where there is a place for them, and the tokens' texts where they belong", async () => {
    const path = chat();
    const { prompt_template: usual } = await recipeOf(path);
    expect(usual).toMatch(/^<s>\[system\]Think step by step.*<\/s>\[user\]\{question\}<\/s>\[assistant\]$/);
    const told = async (system: string) => (await recipeOf(path, { system }))["prompt_template"];
    expect(await told(" Be brief.\n")).toBe("<s>[system]Be brief.</s>[user]{question}</s>[assistant]");
    expect(await told("")).toBe("<s>[user]{question}</s>[assistant]");
    expect(await told("Cost: $& and $1")).toContain("[system]Cost: $& and $1<");
  });

  it.each([
    ["refuses", `{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}${plain}`],
    ["ignores", plain.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")],
  ])("puts them before the question where the template %s a system turn", async (_, template) => {
    const { prompt_template } = await recipeOf(chat(template), { system: "Be brief." });
    expect(prompt_template).toBe("<s>[user]Be brief.\n\n{question}</s>[assistant]");
  });

  it("asks a template that leaves the choice to think, and only then", async () => {
    const path = chat(`${plain}{% if enable_thinking %}<think>{% else %}<think></think>{% endif %}`);
    const reasoning = await recipeOf(path);
    expect(reasoning["prompt_template"]).toMatch(/\[assistant\]<think>$/);
    expect(JSON.parse(reasoning["thinking"]!)).toEqual({ begin: "<think>", end: "</think>" });
    const general = await recipeOf(path, { recipe: "general" });
    expect(general["prompt_template"]).toMatch(/<think><\/think>$/);
    expect(general["thinking"]).toBeUndefined();
  });

  it.each([
    ["does not parse", "{% if %}"],
    ["throws", "{{ raise_exception('never') }}"],
    ["leaves the question out", "[assistant]"],
    ["says the question twice", `${plain}${plain}`],
  ])("says what to do about a template that %s", async (_, template) => {
    await expect(readGenerator(chat(template))).rejects.toMatchObject({
      ...{ code: "UNSUPPORTED_MODEL", message: expect.stringMatching(/chat template.*"completion"/) as string },
    });
    expect(await recipeOf(chat(template), { recipe: "completion" })).toMatchObject({ recipe: "completion" });
  });

  it("can be a person's own", async () => {
    const own: GeneratorRecipe = {
      ...{ name: "own", prompt: "{system}\n{question}\n", system: "Hm.", stop: ["END"], answerPrefix: "A: " },
    };
    const expected = { recipe: "own", prompt_template: "Hm.\n{question}\n", stop: '["END"]', answer_prefix: "A: " };
    expect(await recipeOf(chat(), { recipe: own })).toMatchObject(expected);
    const file = join(folder, "own.json");
    writeFileSync(file, JSON.stringify(own));
    expect(await recipeOf(chat(), { recipe: file, system: "" })).toMatchObject({ prompt_template: "\n{question}\n" });
  });

  it.each<[string, string | object, RegExp]>([
    ["there is none", "mathematics", /no recipe is called "mathematics".*completion, general, math, reasoning/],
    ["the file is missing", "nowhere.json", /nowhere\.json cannot be read/],
    ["it says both", { name: "x", prompt: "{question}", chat: [{ role: "user", content: "{question}" }] }, /either/],
    ["it asks nothing", { name: "x", prompt: "Hello" }, /"\{question\}" in it, once/],
    ["it asks twice", { name: "x", prompt: "{question}{question}" }, /once/],
  ])("is refused where %s", async (_, recipe, message) => {
    await expect(readGenerator({ path: chat(), recipe: recipe as GeneratorRecipe })).rejects.toMatchObject({
      ...{ code: "INVALID_OPTION", message: expect.stringMatching(message) as string },
    });
  });

  it("has no place for a second question", async () => {
    const system = "Answer {question} well.";
    await expect(readGenerator({ path: chat(), system })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

it("reads the templates that models are published with, or says that it cannot", async () => {
  const templates = chatTemplates();
  const refused: string[] = [];
  for (const [name, template] of templates) {
    const path = chat(template);
    try {
      const { prompt_template } = await recipeOf(path, { system: "Be brief." });
      expect(prompt_template!.split("{question}"), name).toHaveLength(2);
      expect(prompt_template, name).toContain("Be brief.");
    } catch (error) {
      expect(error, name).toMatchObject({ code: "UNSUPPORTED_MODEL" });
      refused.push(name);
    }
  }
  // Templates of tool calls that count on tools, and on Python's own.
  expect(refused.length).toBeLessThan(templates.size / 6);
});

describe("a model with a real vocabulary", () => {
  beforeAll(buildModelProbe);

  it.each<[CheckpointName, string, string]>([
    ["eurus-prm", "<|im_end|>", "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"],
    [
      ...(["rlhflow", "<|eot_id|>"] as const),
      "<|start_header_id|>user<|end_header_id|>\n\n{question}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    ],
  ])("of %s is asked by its template, and ends at its turn's end", async (name, endOfTurn, lastTurns) => {
    const checkpoint = await writeCheckpoint(folder, name);
    const { backbone } = await importPrm(checkpoint, { out: join(folder, name), recipe: name as "rlhflow" });
    await using probe = new ModelProbe(backbone);
    await using engine = await Engine.load({ generator: backbone, verifier: null, kvCells: 1024 });
    const { prompt_template: template } = engine.models.generator.recipe;
    expect(template).toContain("Think step by step");
    expect(template!.endsWith(lastTurns)).toBe(true);

    expect(await probe.ends(await probe.tokens("prompt", endOfTurn))).toContain(true);
    // Somebody's words that look like the turn's end are letters.
    const question = `What is 2 + 2?${endOfTurn}`;
    const { ledger } = await engine.solve(question, { budget: { generations: 1, tokens: 4 } });
    const [before, after] = template!.split("{question}");
    const parts = [await probe.tokens("prompt", before!), await probe.tokens("context", after!)];
    const letters = await probe.tokens("plain", question);
    expect(letters.length).toBeGreaterThan((await probe.tokens("context", question)).length);
    expect(ledger.promptTokens).toBe(parts.flat().length + letters.length);
  });
});

it("every recipe of the package is whole", () => {
  const own = readdirSync(new URL("../../models/recipes/generators/", import.meta.url));
  expect(own.sort()).toEqual(["general.json", "math.json", "reasoning.json"]);
  const names = own.map((file) => {
    const url = new URL(`../../models/recipes/generators/${file}`, import.meta.url);
    return (JSON.parse(readFileSync(url, "utf8")) as { name: string }).name;
  });
  expect(names.map((name) => `${name}.json`)).toEqual(own);
});
