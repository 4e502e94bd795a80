/** Searches over a server that writes what it is told: what is asked of it, what becomes of what it writes, what is refused. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { exactText } from "../../lib/grading/plain-graders.js";
import { Engine, type ConnectOptions } from "../../lib/scheduler/engine.js";
import type { StepRule } from "../../lib/scheduler/step-rule.js";
import { bestOfN, majorityVote, strategyByName, strategyNames } from "../../lib/strategies/index.js";
import { calibrate } from "../../lib/training/calibrate.js";
import type { VerifierRecipe } from "../../lib/verifiers/recipe.js";
import { CompletionsServer, usualTokens } from "../support/completions-server.js";
import { treeOptions } from "../support/fake-engine.js";

const recipe = { name: "toy", prompt: "Q: {question}\n", steps: { delimiter: "\n" }, answerPrefix: "A: " } as const;
const tag: VerifierRecipe = {
  ...{ name: "toy tag", prompt: "Q: {question}\n", next: "{step}?", words: "own", aggregation: "last" },
  read: { pair: ["+", "-"] },
};
const text = usualTokens.join("");

function connect({ url }: CompletionsServer, options: Partial<ConnectOptions> = {}): Promise<Engine> {
  return Engine.connect({ generator: { url, recipe }, verifier: { url, recipe: tag }, ...options });
}

/** The steps of a solution written to its end, with what it was asked of the server. */
async function written(tokens: readonly string[], steps: StepRule, together = 1) {
  await using server = await CompletionsServer.start({ writes: () => tokens, together });
  await using engine = await connect(server, {
    verifier: null,
    generator: { url: server.url, recipe: { ...recipe, steps } },
  });
  const answer = await engine.solve("1+2?", { strategy: majorityVote({ n: 1 }), stopTexts: ["END"] });
  return answer.steps.map((step) => step.text);
}

describe("a search", () => {
  it("is that of any strategy", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    for (const name of strategyNames) {
      const strategy = strategyByName(name, { n: 8 });
      const { answer, text: found, score, finishReason } = await engine.solve("1+2?", { strategy });
      expect({ name, answer, found, finishReason }).toEqual({
        name,
        answer: "3",
        found: text,
        finishReason: "complete",
      });
      if (name !== "majority" && name !== "lookahead") expect(score).toBeCloseTo(0.75);
    }
    expect(await engine.solve("1+2?")).toMatchObject({ answer: "3", decision: { stopped: "agreement" } });
    expect(engine.stats().searches).toBe(0);
  });

  it("asks for what it was told to", async () => {
    await using server = await CompletionsServer.start({ apiKey: "key" });
    const common = { url: `${server.url}/v1/`, apiKey: "key" };
    await using engine = await Engine.connect({ generator: { ...common, recipe } });
    const sampling = { topP: 0.9, minP: 0.1, maxLength: 50 };
    await engine.solve("1+2?", { strategy: majorityVote({ n: 1, temperature: 0.5 }), ...sampling });
    const [{ body, headers } = expect.unreachable()] = server.streams;
    expect(headers.authorization).toBe("Bearer key");
    expect(body).toMatchObject({ model: "toy", prompt: "Q: 1+2?\n", temperature: 0.5, top_p: 0.9, min_p: 0.1 });
    expect(body).toMatchObject({ max_tokens: 50, top_k: -1, repetition_penalty: 1 }); // and not a server's own defaults
  });

  it("draws by its seed: the same again, another for each branch and step", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    const seeds = async (seed: number) => {
      const before = server.streams.length;
      await engine.solve("1+2?", { strategy: strategyByName("beam", { n: 8 }), seed });
      return server.streams.slice(before).map(({ body }) => body.seed!);
    };
    const first = await seeds(1);
    expect(new Set(first).size).toBe(first.length);
    expect((await seeds(1)).sort()).toEqual(first.sort());
    expect((await seeds(2)).filter((seed) => first.includes(seed))).toEqual([]);
  });

  it("reads a step once, whoever has it", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    const { ledger } = await engine.solve("1+2?", { strategy: bestOfN({ n: 4 }) });
    const reads = server.asked.filter(({ body }) => body["logprobs"] === 20).map(({ body }) => body.prompt);
    expect(reads).toEqual(["Q: 1+2?\n1+2=3\n?", "Q: 1+2?\n1+2=3\n?A: 3\n?"]);
    // The toy server's tokens of a prompt are its letters, and it has nothing in its cache.
    const question = "Q: 1+2?\n".length;
    expect(ledger).toMatchObject({ promptTokens: question, verifierPromptTokens: question, verifierTokens: 13 });
    expect(ledger).toMatchObject({ generatedTokens: 4 * usualTokens.length, flops: 0 });
  });

  it("holds its budgets", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    const strategy = bestOfN({ n: 4 });
    const capped = await engine.solve("1+2?", { strategy, budget: { tokens: 20 } });
    expect(capped).toMatchObject({ finishReason: "budget", ledger: { generatedTokens: 20 } });
    const short = await engine.solve("1+2?", { strategy, maxLength: 7 });
    expect(short.candidates.map(({ text }) => text)).toEqual(Array(4).fill("1+2=3\nA: "));
    expect(short.candidates.every(({ finished }) => !finished)).toBe(true);
    const answers = await engine.solveAll(["1+2?", "2+1?", "3?"], { budget: { tokens: 100 } });
    const spent = answers.reduce((sum, { ledger }) => sum + ledger.generatedTokens, 0);
    expect(spent).toBeLessThanOrEqual(100);
    expect(answers.map(({ answer }) => answer)).toEqual(["3", "3", "3"]);
  });

  it("scores what others have written, and calibrates without hidden states", async () => {
    await using server = await CompletionsServer.start({ scores: (prompt) => (prompt.includes("4") ? 0.25 : 0.75) });
    await using engine = await connect(server);
    const scored = await engine.score("1+2?", ["1+2=3", "A: 4"]);
    expect(scored.scores.map((score) => score.toFixed(3))).toEqual(["0.750", "0.250"]);
    const questions = Array.from({ length: 12 }, (_, i) => ({
      id: String(i),
      question: `${i}?`,
      answer: "3",
      other: {},
    }));
    const settings = { budgets: [1, 4], bins: 2, probes: 2, tolerance: 0.01, seed: 1 };
    const folder = await mkdtemp(join(tmpdir(), "thinktree-"));
    const journal = join(folder, "journal.jsonl");
    const policy = await calibrate(engine, questions, { ...settings, journal, grader: exactText() });
    await rm(folder, { recursive: true });
    expect(policy).toMatchObject({ models: { generator: "remote:toy", verifier: "remote:toy" }, questionProbe: null });
  });
});

describe("a text is cut into steps", () => {
  const line: StepRule = { delimiter: "\n" };

  it.each([1, 2, 3, 100])("whole tokens each, though %i come at once", async (together) => {
    expect(await written(["\n", "1", "+1", "=2\n\n", "so\n", "A: 2\n"], line, together)).toEqual([
      ...["\n1+1=2\n\n", "so\n", "A: 2\n"],
    ]);
  });

  it("by any rule", async () => {
    const tokens = ["a", "b.", " c", "d", ". e", "END", "f"];
    expect(await written(tokens, { whole: true })).toEqual(["ab. cd. e"]);
    expect(await written(tokens, { tokens: 2 })).toEqual(["ab.", " cd", ". e"]);
    expect(await written(tokens, { pattern: /[.]\s/ })).toEqual(["ab. c", "d. e", ""]);
    expect(await written(tokens, { delimiter: [". ", "d"] })).toEqual(["ab. c", "d", ". e", ""]);
    expect(await written(tokens, { confidence: 0.95 })).toEqual(["a", "b.", " c", "d", ". e", ""]); // it gives each 0.88
  });

  it("and is known to be whole when nothing follows", async () => {
    await using server = await CompletionsServer.start();
    const bare = { name: "bare", prompt: "{question}\n" };
    await using engine = await Engine.connect({ generator: { url: server.url, recipe: bare } });
    await using tree = await engine.openTree(treeOptions());
    await tree.extend([tree.root]);
    expect(tree.root).toMatchObject({ text: "1+2=3\n", finishReason: "step" });
    await tree.extend([tree.root]);
    expect(tree.root).toMatchObject({ text, finishReason: "end", finished: true });
    expect(await tree.ledger()).toMatchObject({ generatedTokens: usualTokens.length + 1, speculatedTokens: 1 });
  });
});

describe("a verifier", () => {
  const turns = [
    { role: "user", content: "{question}" },
    { role: "assistant", content: "{step}" },
    { role: "user", content: "right?" },
  ];
  const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";

  async function reads(own: Partial<VerifierRecipe>, steps: readonly string[]): Promise<string[]> {
    await using server = await CompletionsServer.start();
    const { url } = server;
    const { prompt, ...rest } = tag;
    await using engine = await connect(server, {
      verifier: { url, recipe: { ...rest, ...(own.chat === undefined && { prompt }), ...own }, template },
    });
    await engine.score("Why?", steps);
    return server.asked.filter(({ body }) => body["logprobs"] === 20).map(({ body }) => body.prompt);
  }

  it("reads what its recipe makes of a solution", async () => {
    const steps = ["\n a\nb \n", "c"];
    const framed = { first: " {step} ки", next: "\n{k}: {step|trim} ки", words: "joined" } as const;
    expect(await reads({ prompt: "{question}", ...framed }, steps)).toEqual([
      "Why?  a\nb ки",
      "Why?  a\nb ки\n2: c ки",
    ]);
    expect(await reads({ prompt: "<|begin_of_text|>{question}", ...framed }, ["a"])).toEqual(["Why? a ки"]); // once
    expect(await reads({ prompt: "{question}", ...framed, oneLine: true }, steps)).toContain("Why?  a b ки");
    expect(await reads({ chat: turns, words: "joined", next: "{step}" }, steps.slice(1))).toEqual([
      "<user>Why?<assistant>c<user>right?",
    ]);
  });

  it("is refused where completions do not tell enough", async () => {
    await using server = await CompletionsServer.start();
    const { url } = server;
    const refused = async (recipe: string | VerifierRecipe, why: string) =>
      expect(Engine.connect({ generator: { url }, verifier: { url, recipe } })).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringContaining(why) as string,
      });
    await refused("likelihood", "log-probabilities of a given text");
    await refused("eurus-prm", "log-probabilities of a given text");
    await refused("qwen2.5-math-prm", "hidden states");
    await refused("genprm", "judge");
    await refused({ ...tag, words: "apart" }, "tokens of their own");
    await refused({ ...tag, words: "joined", beforeLast: true }, "before the step's end");
  });

  it("that says neither word is the wrong one", async () => {
    await using server = await CompletionsServer.start();
    const { url } = server;
    await using engine = await connect(server, {
      verifier: { url, recipe: { ...tag, read: { pair: ["yes", "no"] } } },
    });
    await expect(engine.score("1+2?", ["3"])).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

describe("what a server cannot do", () => {
  it("is refused, with what to do", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    const refused = { code: "INVALID_OPTION" };
    await expect(engine.hiddenState("1+2?")).rejects.toMatchObject(refused);
    await expect(engine.solve("1+2?", { budget: { flops: 1e9 } })).rejects.toMatchObject(refused);
    await expect(engine.solve("1+2?", { estimate: "question" })).rejects.toMatchObject(refused);
    await expect(connect(server, { generator: { url: server.url, kvMib: 1 } as never })).rejects.toMatchObject(refused);
    await using two = await CompletionsServer.start({ models: ["a", "b"] });
    await expect(Engine.connect({ generator: { url: two.url } })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("serves a, b") as string,
    });
    await using unverified = await connect(server, { verifier: null });
    await expect(unverified.score("1+2?", ["3"])).rejects.toMatchObject({ code: "NO_VERIFIER" });
    await using tree = await unverified.openTree(treeOptions());
    await expect(tree.extend([tree.root], { score: true })).rejects.toMatchObject({ code: "NO_VERIFIER" });
  });
});

it("asks a chat model by its template", async () => {
  await using server = await CompletionsServer.start();
  const template = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
  await using engine = await Engine.connect({
    generator: { url: server.url, recipe: "general", system: "Be brief.", template },
  });
  await engine.solve("1+2?", { budget: 1 });
  expect(server.streams[0]!.body.prompt).toBe("<system>Be brief.<user>1+2?<assistant>");
});

it("has branches that end where they are told", async () => {
  await using server = await CompletionsServer.start();
  await using engine = await connect(server);
  await using tree = await engine.openTree(
    treeOptions({ prompt: "Q: 1+2?\n", verifierPrompt: "Q: 1+2?\n", finalPrefix: "A: " }),
  );
  const [branch = expect.unreachable(), other = expect.unreachable()] = tree.fork(tree.root, 2);
  tree.write(branch, "1+2=3\n");
  await Promise.all([
    tree.extend([branch], { score: true }),
    expect(tree.extend([branch])).rejects.toMatchObject({ code: "INVALID_OPTION" }), // it is being extended
    expect(tree.extend([other], { steps: 0 })).rejects.toMatchObject({ code: "INVALID_OPTION" }),
  ]);
  expect(branch).toMatchObject({ text, finished: true });
  await tree.score([branch]);
  expect(branch.steps.map(({ score }) => score?.toFixed(2))).toEqual(["0.75", "0.75"]);
  expect(await tree.pair(branch, "+", "-")).toBeCloseTo(0.75);
  const again = tree.condition(branch, "Again:\n");
  await tree.extend([again]);
  expect(server.streams.at(-1)!.body.prompt).toBe(`Q: 1+2?\n${text}Again:\n`);
  tree.release([other]);
  await expect(tree.extend([other])).rejects.toMatchObject({ code: "BRANCH_RELEASED" });
  const extending = tree.extend([tree.root]);
  tree.release([tree.root]);
  await expect(extending).rejects.toMatchObject({ code: "BRANCH_RELEASED" });
  await tree.close();
  expect(() => tree.fork(branch, 1)).toThrowError(expect.objectContaining({ code: "CANCELLED" }) as Error);
});
