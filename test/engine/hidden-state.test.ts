/** The hidden state at the end of a prompt: of a real model, what its logits are made of; of the fake one, exact costs. */
import { readFileSync } from "node:fs";

import { readGgufFileInfo } from "node-llama-cpp";
import { expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { loadFake, treeOptions } from "../support/fake-engine.js";
import { embeddedModels } from "../support/models.js";

const models = embeddedModels();

test("costs the prefill that the search needs anyway, and one token afterwards", async () => {
  const engine = await loadFake();
  expect(engine.models.generator.width).toBe(8);
  const tree = await engine.openTree(treeOptions());
  const before = await tree.hiddenState();
  expect(before).toBeInstanceOf(Float32Array);
  expect(before).toHaveLength(8);
  await tree.extend(tree.fork(tree.root, 4), { steps: Infinity });
  expect(await tree.ledger()).toMatchObject({ promptTokens: 4, recomputedTokens: 0 });
  expect(await tree.hiddenState()).toEqual(before);
  expect(await tree.ledger()).toMatchObject({ promptTokens: 4, recomputedTokens: 1 });
  const other = await engine.openTree(treeOptions({ prompt: "2+2?" }));
  expect(await other.hiddenState()).not.toEqual(before);
  await tree.close();
  await expect(tree.hiddenState()).rejects.toMatchObject({ code: "CANCELLED" });
  await engine.close();
});

test("says so if the search cannot pay for it", async () => {
  const engine = await loadFake();
  const poor = await engine.openTree(treeOptions({ flopsBudget: 1 }));
  await expect(poor.hiddenState()).rejects.toMatchObject({ code: "EXHAUSTED" });
  const late = await engine.openTree(treeOptions({ deadlineMs: 1 }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await expect(late.hiddenState()).rejects.toMatchObject({ code: "EXHAUSTED" });
  await engine.close();
});

test.skipIf(models === undefined)("of the embedded generator, times its embeddings, is its next token", async () => {
  const questions = readFileSync(models!.heldOut, "utf8")
    .trim()
    .split("\n")
    .slice(0, 30)
    .map((line) => (JSON.parse(line) as { question: string }).question);
  const embeddings = await readEmbeddings(models!.generator);
  const engine = await EngineCore.load({ generator: models!.generator, verifier: null });
  // One token a step, drawn greedily. All questions at once, so that batches are shared.
  const greedy = { maxLength: 1, steps: { delimiters: [] }, sampler: { temperature: 0, topK: 0, topP: 1, minP: 0 } };
  await Promise.all(
    questions.map(async (question, i) => {
      const tree = await engine.openTree(treeOptions({ ...greedy, prompt: `Q: ${question}\n` }));
      const [branch] = tree.fork(tree.root, 1);
      const early = i % 2 === 0 ? await tree.hiddenState() : undefined;
      await tree.extend([branch!]);
      const hidden = await tree.hiddenState(); // the prompt is in the cache by now
      expect(hidden).toHaveLength(engine.models.generator.width);
      for (const state of early === undefined ? [hidden] : [early, hidden]) {
        const logits = embeddings.map((row) => row.reduce((sum, weight, j) => sum + weight * state[j]!, 0));
        const greatest = Math.max(...logits);
        const logProbability = -Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0));
        expect(logProbability).toBeCloseTo(branch!.steps[0]!.logProbability, 1);
      }
      const { promptTokens, recomputedTokens } = await tree.close();
      expect(recomputedTokens).toBe(1);
      expect(promptTokens).toBeGreaterThan(10);
    }),
  );
  await engine.close();
});

/** token_embd.weight, in half precision; the model's output weights are the same. */
async function readEmbeddings(path: string): Promise<Float32Array[]> {
  const { tensorInfo } = await readGgufFileInfo(path, { logWarnings: false });
  const { dimensions, fileOffset } = tensorInfo!.find(({ name }) => name === "token_embd.weight")!;
  const [columns, rows] = dimensions.map(Number) as [number, number];
  const file = readFileSync(path).subarray(Number(fileOffset));
  return Array.from({ length: rows }, (_, row) =>
    Float32Array.from({ length: columns }, (_, column) => half(file.readUInt16LE(2 * (row * columns + column)))),
  );
}

function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, (bits & 1023) / 1024];
  const size = exponent === 0 ? 2 ** -14 * fraction : 2 ** (exponent - 15) * (1 + fraction);
  return bits >> 15 === 0 ? size : -size;
}
