/** Which recipe a verifier's file is read by, over real GGUF files; what is wrong with one. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, describe, expect, it } from "vitest";

import { beamSearch, Engine, type ModelOptions, type VerifierRecipe } from "../../lib/index.js";
import { writeGguf, type Metadata } from "../../lib/models/gguf.js";
import { seesAttempts } from "../../lib/scheduler/recipe.js";
import { engineOptionsOf } from "../../lib/scheduler/model-options.js";
import { parseGguf, serialiseGguf, stringType } from "../support/gguf-file.js";
import { writeHead } from "../support/heads.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-recipe-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const embedded = (name: string) => fileURLToPath(new URL(`../../models/${name}.gguf`, import.meta.url));
const question = "Mia has 17 marbles. She buys 26 more. How many marbles does Mia have now?";

async function file(name: string, metadata: Metadata): Promise<string> {
  const path = join(folder, name);
  await writeGguf(path, { "general.architecture": "llama", ...metadata }, []);
  return path;
}

async function readingOf(verifier: NonNullable<ModelOptions["verifier"]>) {
  const { verifier: found } = await engineOptionsOf({ verifier });
  if (typeof found !== "object" || found === null || "fake" in found) throw new Error("no reading");
  return found;
}

async function head(name: string, width: number): Promise<string> {
  const path = join(folder, name);
  await writeHead(path, width);
  return path;
}

const headed: VerifierRecipe = {
  name: "headed",
  prompt: "Q: {question}\n",
  read: { head: "sigmoid", classes: [0] },
  aggregation: "last",
};

describe("a recipe is recognised", () => {
  it("by what the file says", async () => {
    const path = await file("a.gguf", {
      "thinktree.verifier.recipe": "math-shepherd",
      "general.name": "ReasonEval-7B",
    });
    expect((await readingOf(path)).recipe).toMatchObject({ "verifier.recipe": "math-shepherd" });
  });

  it("by what it is called", async () => {
    const named = await file("b.gguf", {
      "general.name": "Math Shepherd",
      "general.basename": "Math-Shepherd-Mistral",
    });
    expect((await readingOf(named)).recipe).toMatchObject({ "verifier.recipe": "math-shepherd" });
    const filed = await file("RLHFlow_Llama3.1-8B-PRM-Deepseek-Data.Q8_0.gguf", {});
    const { reading, recipe } = await readingOf(filed);
    expect(recipe).toMatchObject({ "verifier.recipe": "rlhflow", "verifier.aggregation": "mean" });
    expect(reading).toMatchObject({ kind: "pair", words: "joined", next: { trims: true } });
  });

  it("as a likelihood, else", async () => {
    expect((await readingOf(await file("c.gguf", {}))).reading).toMatchObject({ kind: "likelihood", words: "own" });
    expect((await readingOf(join(folder, "nowhere.gguf"))).reading).toMatchObject({ kind: "likelihood" });
  });

  it("in the words of the embedded models", async () => {
    const { reading } = await readingOf(embedded("tiny-prm"));
    expect(reading).toMatchObject({
      kind: "pair",
      words: "own",
      next: { after: "<step>" },
      positive: "+",
      negative: "-",
    });
  });
});

it("says whether it sees attempts: what a file says reaches the scheduler", async () => {
  const changed = parseGguf(readFileSync(embedded("tiny-strong")));
  changed.entries.push({ key: "thinktree.verifier.sees_attempts", type: stringType, value: "true" });
  const path = join(folder, "sees.gguf");
  writeFileSync(path, serialiseGguf(changed));
  await using engine = await Engine.load({ generator: embedded("tiny-generator"), verifier: path });
  expect(seesAttempts(engine.models.verifier!)).toBe(true);
});

it("takes a chat's frame from the model's own template", async () => {
  const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}";
  const path = await file("chat.gguf", { "tokenizer.chat_template": template });
  const chat = [
    { role: "user", content: "{question}" },
    { role: "judge", content: "{step}" },
  ];
  const recipe: VerifierRecipe = { name: "chat", chat, read: { pair: ["+", "-"] }, aggregation: "last" };
  const found = await readingOf({ path, recipe });
  expect(found.recipe!["prompt_template"]).toBe("<user>{question}</><judge>");
  expect(found.reading).toMatchObject({ kind: "pair", probe: "</>" });
  const deaf = await file("deaf.gguf", { "tokenizer.chat_template": "{{ raise_exception('no judges') }}" });
  await expect(readingOf({ path: deaf, recipe })).rejects.toMatchObject({
    code: "UNSUPPORTED_MODEL",
    message: /no judges/,
  });
  await expect(readingOf({ path: await file("bare.gguf", {}), recipe })).rejects.toMatchObject({
    ...{ code: "UNSUPPORTED_MODEL", message: /no chat template/ },
  });
});

describe("a judge's chat", () => {
  const turn = "<{{ m.role }}>{{ m.content }}</>";
  const plain = `{% for m in messages %}${turn}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}`;
  const judge = (name: string, template: string) => file(name, { "tokenizer.chat_template": template });

  it("of a step a turn is cut where the next step stands, as the template shows earlier turns", async () => {
    const { reading, recipe } = await readingOf(await judge("GenPRM-1.5B.gguf", plain));
    expect(recipe).toMatchObject({ "verifier.recipe": "genprm", "verifier.votes": "1", "verifier.aggregation": "min" });
    expect(recipe!["prompt_template"]).toMatch(
      /^<system>You are a math teacher\..*<\/><user>Question: \{question\}\n\n$/,
    );
    expect(reading).toMatchObject({
      ...{ kind: "judge", first: { before: "", after: "" }, next: { before: "", after: "" } },
      ask: "</><assistant><analyze>\nLet's analyze the Paragraph {i} step by step: ",
      onward: "}$\n</output>\n</><user>",
      ...{ positive: "Yes", negative: "No", votes: 1, temperature: 0.6 },
    });
  });

  it("of all steps in one turn ends where the judge begins to write", async () => {
    const path = await judge("ThinkPRM-7B.gguf", plain);
    const { reading, recipe } = await readingOf({ path, votes: 4 });
    expect(recipe).toMatchObject({ "verifier.recipe": "thinkprm", "verifier.votes": "4" });
    expect(recipe!["prompt_template"]).toMatch(/\[Solution\]\n\n$/);
    expect(reading).toMatchObject({ kind: "judge", next: { before: "\nStep {i}: ", after: "" }, votes: 4 });
    expect(reading).toMatchObject({ ask: expect.stringMatching(/provided steps\.<\/><assistant>$/) as string });
    expect(reading).not.toHaveProperty("onward");
  });

  it("is refused where the template shows turns of a conversation differently", async () => {
    const last = `{% for m in messages %}{% if loop.last %}!{% endif %}${turn}{% endfor %}`;
    await expect(readingOf(await judge("GenPRM-7B-b.gguf", last))).rejects.toMatchObject({
      ...{ code: "UNSUPPORTED_MODEL", message: /in another way/ },
    });
  });
});

it("is a file of one's own, and scores", async () => {
  const path = join(folder, "mine.json");
  writeFileSync(path, JSON.stringify({ ...headed, name: "mine" }));
  copyFileSync(embedded("tiny-strong"), join(folder, "judge.gguf"));
  await head("judge.head.gguf", 128);
  const verifier = { path: join(folder, "judge.gguf"), recipe: path };
  await using engine = await Engine.load({ generator: embedded("tiny-generator"), verifier });
  expect(engine.models.verifier).toMatchObject({ reading: "head", recipe: { "verifier.recipe": "mine" } });
  const steps = ["17+26=43\n", "A: 43\n"];
  const [alone, both, other] = await Promise.all(
    [steps.slice(0, 1), steps, ["17+26=44\n"]].map((given) => engine.score(question, given)),
  );
  expect(both!.scores[0]).toBeCloseTo(alone!.score, 3); // in company of other rows
  expect(both!.scores[1]).toBe(both!.score);
  expect(other!.score).not.toBeCloseTo(alone!.score, 3);
  for (const score of [...both!.scores, other!.score]) expect(score).toSatisfy((p: number) => p > 0 && p < 1);
  expect(engine.stats()).toMatchObject({ verifierKvCells: 0, searches: 0 });
});

const compared: VerifierRecipe = {
  ...{ name: "compared", prompt: "Q: {question}", first: "\n{step}", next: "\n{step}" },
  ...{ beyond: 1, end: "\n", read: { ratio: { beta: 0.1 } }, aggregation: "last" },
};

/** The embedded verifier with two of its tokens in each other's place. */
function swapped(one: number, other: number): string {
  const changed = parseGguf(readFileSync(embedded("tiny-strong")));
  const tokens = changed.entries.find(({ key }) => key === "tokenizer.ggml.tokens")!;
  const texts = tokens.value as string[];
  [texts[one], texts[other]] = [texts[other]!, texts[one]!];
  const path = join(folder, `swapped-${one}.gguf`);
  writeFileSync(path, serialiseGguf(changed));
  return path;
}

describe("an implicit PRM", () => {
  const path = embedded("tiny-strong");
  const load = (reference: string, options: object = {}) =>
    Engine.load({ generator: embedded("tiny-generator"), verifier: { path, recipe: compared, reference }, ...options });
  const steps = ["17+26=43\n", "A: 43\n"];

  it("compares two models, each of which reads a step once", async () => {
    await using engine = await load(embedded("tiny-generator"));
    const { verifier, reference } = engine.models;
    expect(verifier).toMatchObject({ reading: "ratio", recipe: { "verifier.recipe": "compared" } });
    expect(reference!.parameters).toBeLessThan(verifier!.parameters);
    const { scores, score, ledger } = await engine.score(question, steps);
    for (const p of scores) expect(p).toSatisfy((p: number) => p > 0 && p < 1 && p !== 0.5);
    expect(score).toBe(scores[1]);
    expect(ledger.referenceTokens).toBe(ledger.verifierPromptTokens + ledger.verifierTokens);
    expect(ledger.flops).toBe(2 * ledger.referenceTokens * (verifier!.parameters + reference!.parameters));
    expect(engine.stats()).toMatchObject({
      ...{ referenceTokens: ledger.referenceTokens, referenceKvCells: 0, verifierKvCells: 0, leases: 0 },
    });
  });

  it("finds a model neither likelier nor less likely than itself", async () => {
    await using engine = await load(path);
    const { scores } = await engine.score(question, steps);
    for (const p of scores) expect(p).toBeCloseTo(0.5, 6);
  });

  it("is told from one with another reference, and has its share of the caches' memory", async () => {
    await using alone = await Engine.load({ generator: embedded("tiny-generator"), verifier: path, kvMib: 24 });
    await using own = await load(path, { kvMib: 24 });
    await using other = await load(embedded("tiny-generator"), { kvMib: 24 });
    expect(own.models.reference!.kvCells).toBe(own.models.verifier!.kvCells);
    expect(own.models.verifier!.kvCells).toBeLessThan(alone.models.verifier!.kvCells);
    expect(new Set([alone, own, other].map(({ fingerprints }) => fingerprints.verifier)).size).toBe(3);
  });

  it("scores a search's steps", async () => {
    await using engine = await load(embedded("tiny-generator"));
    const strategy = beamSearch({ n: 8, beamWidth: 2 });
    const { candidates, ledger } = await engine.solve(question, { strategy });
    expect(candidates.some(({ score }) => score !== null)).toBe(true);
    expect(ledger.referenceTokens).toBe(ledger.verifierPromptTokens + ledger.verifierTokens);
  });
});

describe("is refused", () => {
  const path = embedded("tiny-strong");
  const load = (verifier: NonNullable<ModelOptions["verifier"]>) =>
    Engine.load({ generator: embedded("tiny-generator"), verifier });

  it.each<[string, () => Promise<unknown>, string, RegExp]>([
    [
      "an unknown name",
      () => load({ path, recipe: "prm" }),
      "INVALID_OPTION",
      /no recipe is called "prm": .*math-shepherd/,
    ],
    [
      "EurusPRM without its reference",
      async () => load(await file("EurusPRM-Stage2.Q8_0.gguf", {})),
      "INVALID_OPTION",
      /--verifier-reference FILE; EurusPRM's is Qwen2\.5-Math-7B-Instruct\), or .*"likelihood"/,
    ],
    [
      "a reference that is compared with nothing",
      () => load({ path, reference: path }),
      "INVALID_OPTION",
      /compares no models: leave .* reference out/,
    ],
    [
      "a reference of another vocabulary",
      () => load({ path, recipe: compared, reference: swapped(40, 41) }),
      "INVALID_OPTION",
      /another vocabulary/,
    ],
    [
      "a reference of other special tokens",
      () => load({ path, recipe: { ...compared, end: "<step>" }, reference: swapped(1, 258) }),
      "INVALID_OPTION",
      /another vocabulary/,
    ],
    [
      "a reference that is no model",
      () => load({ path, recipe: compared, reference: join(folder, "mine.json") }),
      "MODEL_LOAD_FAILED",
      /mine\.json/,
    ],
    [
      "a judge without a chat template",
      async () => load(await file("GenPRM-7B.gguf", {})),
      "UNSUPPORTED_MODEL",
      /no chat template/,
    ],
    ["votes for what is no judge", () => load({ path, votes: 3 }), "INVALID_OPTION", /judge's, .*genprm/],
    ["a file that is not there", () => load({ path, recipe: "no.json" }), "INVALID_OPTION", /no\.json cannot be read/],
    [
      "a pair of no single tokens",
      () => load({ path, recipe: { ...headed, read: { pair: ["yes, no", "-"] } } }),
      "INVALID_OPTION",
      /"yes, no" is not a single token/,
    ],
    [
      "a head that is not there",
      () => load({ path, recipe: headed }),
      "INVALID_OPTION",
      /tiny-strong\.head\.gguf: thinktree import-prm/,
    ],
    [
      "a head of another width",
      async () => load({ path, recipe: headed, head: await head("wide.gguf", 64) }),
      "INVALID_OPTION",
      /states of 64 numbers, the model's have 128/,
    ],
    [
      "a class that the head has not",
      async () =>
        load({
          path,
          recipe: { ...headed, read: { head: "softmax", classes: [1] } },
          head: await head("one.gguf", 128),
        }),
      "INVALID_OPTION",
      /1 outputs/,
    ],
    [
      "a model in place of a head",
      () => load({ path, recipe: headed, head: path }),
      "MODEL_LOAD_FAILED",
      /no reward head/,
    ],
  ])("%s", async (_, loading, code, message) => {
    await expect(loading()).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it("a file that is no JSON", async () => {
    writeFileSync(join(folder, "broken.json"), "{");
    await expect(load({ path, recipe: join(folder, "broken.json") })).rejects.toMatchObject({ message: /is no JSON/ });
  });
});

describe("a given solution", () => {
  it("of no steps, of blank ones or without a verifier is refused", async () => {
    await using engine = await Engine.load();
    await expect(engine.score(question, [])).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(engine.score(question, [" \n"])).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(engine.score(" ", ["1"])).rejects.toMatchObject({ code: "EMPTY_PROMPT" });
    await expect(engine.score(question, ["1"], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(engine.stats()).toMatchObject({ searches: 0, verifierKvCells: 0 });
    await using blind = await Engine.load({ verifier: null });
    await expect(blind.score(question, ["1"])).rejects.toMatchObject({ code: "NO_VERIFIER" });
  });

  it("too long for the verifier ends in an error, not in half of its scores", async () => {
    await using engine = await Engine.load();
    const steps = Array.from({ length: 400 }, () => "17+26=43\n");
    await expect(engine.score(question, steps)).rejects.toMatchObject({ code: "CONTEXT_EXCEEDED" });
  });
});
