/** Generated model files are what they claim to be: thinktree loads them, and they write as they are made to. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { randomModel, stepsOf, writeRandomModel } from "../../bench/gguf/random-model.js";
import { shapes } from "../../bench/gguf/shapes.js";
import { textOf } from "../../bench/gguf/vocabulary.js";
import { toHalf, type WeightType } from "../../bench/gguf/weights.js";
import { Engine } from "../../lib/index.js";

const shape = shapes.tiny;
const folder = mkdtempSync(join(tmpdir(), "thinktree-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function write(type: WeightType, stepLengths: readonly number[], length: number, delimiters: readonly string[]) {
  const path = await randomModel({ shape, type, stepLengths }, folder);
  await using engine = await Engine.load({ generator: path, verifier: null });
  const tree = await engine.openTree({
    ...{
      prompt: textOf(100),
      verifierPrompt: "",
      seed: 1,
      maxLength: length,
      steps: { delimiters },
      finalPrefix: "",
      stop: [],
    },
    ...{ tokenBudget: undefined, deadlineMs: undefined },
    sampler: { temperature: 0.8, topK: 0, topP: 1, minP: 0 },
  });
  const branches = tree.fork(tree.root, 3);
  await tree.extend(branches, { steps: Infinity });
  return { models: engine.models, ledger: await tree.close(), branches };
}

describe("random models", () => {
  it.each(["F16", "Q8_0"] as const)("in %s have the shape asked for, and never end by themselves", async (type) => {
    const { models, ledger, branches } = await write(type, [], 64, []);
    const { width, layers, feedForward, vocabulary, positions, heads, kvHeads } = shape;
    const kvWidth = (width / heads) * kvHeads;
    const matrices = layers * (2 * width * width + 2 * width * kvWidth + 3 * width * feedForward);
    const vectors = layers * (3 * width + 2 * kvWidth) + width;
    expect(models.generator).toMatchObject({ vocabulary, parameters: vocabulary * width + matrices + vectors });
    expect(models.generator.positions).toBeLessThanOrEqual(positions);
    expect(ledger).toMatchObject({ promptTokens: 100, generatedTokens: 3 * 64 });
    const logProbabilities = branches.map(({ steps }) => steps[0]!.logProbability / 64);
    for (const mean of logProbabilities) {
      expect(mean).toBeLessThan(-1); // neither certain of one token
      expect(mean).toBeGreaterThan(-Math.log(vocabulary) - 1); // nor gone astray
    }
  });

  it.each(["F16", "Q8_0"] as const)("in %s write steps of a chosen length", async (type) => {
    const { branches } = await write(type, stepsOf(8), 40, ["\n"]);
    for (const { steps } of branches) expect(steps.map(({ tokens }) => tokens)).toEqual([8, 8, 8, 8, 8]);
  });

  it("write steps of several lengths, as often as asked", async () => {
    const { branches } = await write("Q8_0", [0, 0, 3, 0, 1], 600, ["\n"]);
    const lengths = branches.flatMap(({ steps }) => steps.slice(0, -1).map(({ tokens }) => tokens)); // the last is cut
    expect(new Set(lengths)).toEqual(new Set([3, 5]));
    const short = lengths.filter((length) => length === 3).length / lengths.length;
    expect(short).toBeGreaterThan(0.6);
    expect(short).toBeLessThan(0.9);
  });

  it("depend on the seed alone", async () => {
    const bytes = async (name: string, seed: number) => {
      await writeRandomModel(join(folder, name), { shape, type: "Q8_0", seed });
      return readFileSync(join(folder, name));
    };
    const a = await bytes("a", 7);
    expect(a.equals(await bytes("b", 7))).toBe(true);
    expect(a.equals(await bytes("c", 8))).toBe(false);
  });
});

describe("toHalf", () => {
  it("gives the bits of 16-bit floats", () => {
    const known = { 0: 0, 1: 0x3c00, [-2]: 0xc000, 65504: 0x7bff, [2 ** -14]: 0x0400, [2 ** -24]: 1, 0.1: 0x2e66 };
    for (const [value, bits] of Object.entries(known)) expect(toHalf(Number(value))).toBe(bits);
    expect(() => toHalf(1e6)).toThrow(RangeError);
  });
});
