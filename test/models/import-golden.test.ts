/** An imported checkpoint has the tokens, the hidden states and the scores that PyTorch and transformers find in it. */
import { mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readGgufFileInfo } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { Engine } from "../../lib/index.js";
import { importPrm, type Imported } from "../../lib/models/import-prm.js";
import { checkpoints, writeCheckpoint, type CheckpointName } from "../support/checkpoints.js";
import { goldenNames, readGolden, type GoldenCase, type GoldenName } from "../support/golden.js";
import { buildModelProbe, ModelProbe } from "../support/model-probe.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-golden-"));
beforeAll(buildModelProbe);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const imports = new Map<CheckpointName, Promise<Imported>>();
function imported(name: CheckpointName): Promise<Imported> {
  const work = imports.get(name) ?? importOf(name);
  imports.set(name, work);
  return work;
}

async function importOf(name: CheckpointName): Promise<Imported> {
  const recipe = recipeOf(name);
  const checkpoint = await writeCheckpoint(folder, name);
  const plain = !("head" in checkpoints[name]);
  // In full precision: what differs is then what was understood wrongly.
  return importPrm(checkpoint, { out: join(folder, `${name}.gguf`), type: "F32", ...(plain && { recipe }) });
}

function recipeOf(name: CheckpointName) {
  if (name === "eurus-prm-reference") return "eurus-prm";
  return name === "trl-llama" ? "trl" : name;
}

describe.each(goldenNames)("%s", (name) => {
  const golden = readGolden(name);
  let files: Imported;
  let probe: ModelProbe;
  beforeAll(async () => {
    files = await imported(name);
    probe = new ModelProbe(files.backbone);
  });
  afterAll(() => probe[Symbol.asyncDispose]());

  it("is asked by its recipe", () => expect(files.recipe).toBe(recipeOf(name)));

  it("has the reference's tokens", async () => {
    for (const one of golden.cases) {
      const pieces = await Promise.all(piecesOf(name, one).map(([kind, text]) => probe.tokens(kind, text)));
      expect(pieces.flat()).toEqual(one.tokens);
    }
  });

  it("has the reference's hidden states", async () => {
    for (const { tokens, reads, hidden } of golden.cases) {
      const found = (await probe.hidden(tokens))[reads.at(-1)!]!;
      expect(farthest(found, hidden)).toBeLessThan(1e-3 * spread(hidden));
    }
  });

  it("is scored so by the engine, a step at a time", async () => {
    const reference = name === "eurus-prm" ? (await imported("eurus-prm-reference")).backbone : undefined;
    const verifier = { path: files.backbone, reference };
    await using engine = await Engine.load({ generator: { fake: {} }, verifier });
    expect(engine.models.verifier!.recipe["verifier.recipe"]).toBe(files.recipe);
    // Rewards, which the engine puts through a sigmoid.
    const rewards = name === "orm" || name === "eurus-prm";
    const reach = name === "eurus-prm" ? spread(golden.cases.flatMap(({ scores }) => scores)) : name === "orm" ? 10 : 1;
    for (const { question, steps, tokens, reads, scores: expected } of golden.cases) {
      const { scores, ledger } = await engine.score(question, steps);
      const found = rewards ? scores.slice(-expected.length).map((p) => Math.log(p / (1 - p))) : scores;
      expect(farthest(found, expected), steps.join(" | ")).toBeLessThan(1e-3 * reach);
      // No token more than the reference's, up to the one that is read; what closes a solution is read after each step.
      const decoded = ledger.verifierPromptTokens + ledger.verifierTokens;
      if (name === "orm") expect(decoded).toBeGreaterThanOrEqual(tokens.length);
      else expect(decoded, steps.join(" | ")).toBe(reads.at(-1)! + 1);
      expect(ledger.referenceTokens).toBe(reference === undefined ? 0 : decoded);
    }
  });

  it("has the reference's scores", async () => {
    const score = await scorer(name, files, probe);
    const reach = spread(golden.cases.flatMap(({ scores }) => scores));
    const unit = name === "eurus-prm" ? reach : Math.max(1, reach); // most are probabilities
    for (const one of golden.cases) expect(farthest(await score(one), one.scores)).toBeLessThan(1e-3 * unit);
  });
});

function farthest(found: readonly number[], expected: readonly number[]): number {
  expect(found).toHaveLength(expected.length);
  return Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)));
}

function spread(values: readonly number[]): number {
  return Math.max(...values) - Math.min(...values);
}

/** What the model is given, in the pieces that are made tokens apart from each other. */
function piecesOf(name: GoldenName, { question, steps, text }: GoldenCase): ["prompt" | "context" | "plain", string][] {
  if (name === "math-shepherd") return [["prompt", text!]];
  if (text !== undefined) return [["context", text]];
  if (name === "skywork-o1") {
    const lines = steps.flatMap((step): ["plain", string][] => [
      ["plain", step.replaceAll("\n", " ")],
      ["plain", "\n"],
    ]);
    return [["context", `<|endoftext|>${question}\n`], ...lines];
  }
  if (name === "trl" || name === "trl-llama") {
    const parts = steps.flatMap((step): ["plain", string][] => [
      ["plain", step],
      ["plain", "\n"],
    ]);
    return [["prompt", question], ...parts];
  }
  const prompt = `Question:\n${question}\nAnswer:\nLet's think step by step.\n`;
  return [["prompt", prompt], ...steps.map((step): ["plain", string] => ["plain", step])];
}

async function scorer(name: GoldenName, files: Imported, probe: ModelProbe) {
  const { positive, negative } = readGolden(name);
  if (positive !== undefined && negative !== undefined) {
    return async ({ tokens, reads }: GoldenCase) => {
      const chances = await probe.pair(positive, negative, tokens);
      return reads.map((read) => chances[read]!);
    };
  }
  if (name === "eurus-prm") {
    const other = new ModelProbe((await imported("eurus-prm-reference")).backbone);
    onTestFinished(() => other[Symbol.asyncDispose]());
    return async ({ tokens, reads, text }: GoldenCase) => {
      const [ours, theirs] = [await probe.likelihood(tokens), await other.likelihood(tokens)];
      // The sum begins with the answer: where the template, with an empty one, has come to before its last two tokens.
      const empty = `${text!.slice(0, text!.indexOf("<|im_start|>assistant\n"))}<|im_start|>assistant\n<|im_end|>`;
      const begin = (await probe.tokens("context", empty)).length - 3;
      return reads.map((read) => {
        const ratios = ours.slice(begin, read + 1).map((value, i) => value - theirs[begin + i]!);
        return 0.001 * ratios.reduce((sum, ratio) => sum + ratio, 0);
      });
    };
  }
  const head = await readHead(files.head!);
  return async ({ tokens, reads }: GoldenCase) => {
    const states = await probe.hidden(tokens);
    return reads.map((read) => scoreOf(head(states[read]!)));
  };
}

/** One output is a logit (or a reward: then it is not squashed), two are wrong and right, three the last two of which are. */
function scoreOf(values: readonly number[]): number {
  if (values.length === 1) return values[0]!;
  const powers = values.map((value) => Math.exp(value));
  return 1 - powers[0]! / powers.reduce((sum, power) => sum + power);
}

/** The sidecar's layers as a function. */
async function readHead(path: string): Promise<(state: readonly number[]) => number[]> {
  const { tensorInfo, metadata } = await readGgufFileInfo(path, { logWarnings: false });
  const file = openSync(path, "r");
  const read = (name: string) => {
    const found = tensorInfo!.find((tensor) => tensor.name === name);
    if (found === undefined) return undefined;
    const sizes = found.dimensions.map(Number);
    const floats = new Float32Array(sizes.reduce((product, size) => product * size, 1));
    readSync(file, floats, { position: Number(found.fileOffset) });
    return { floats, sizes };
  };
  const layers = [0, 1].flatMap((i) => {
    const weight = read(`head.${i}.weight`);
    return weight === undefined ? [] : [{ weight, bias: read(`head.${i}.bias`)?.floats }];
  });
  const { recipe } = (metadata as unknown as { thinktree: { recipe: string } }).thinktree;
  const squash = recipe === "skywork-o1";
  return (state) => {
    let values = [...state];
    layers.forEach(({ weight: { floats, sizes }, bias }, i) => {
      const inputs = values;
      values = Array.from({ length: sizes[1]! }, (_, row) =>
        inputs.reduce((sum, value, j) => sum + value * floats[row * sizes[0]! + j]!, bias?.[row] ?? 0),
      );
      if (i < layers.length - 1) values = values.map((value) => Math.max(0, value));
    });
    return squash ? values.map((value) => 1 / (1 + Math.exp(-value))) : values;
  };
}
