/** Whose kernels attend and read logits: ours where they can, llama.cpp's own where that is asked for. */
import { describe, expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { embeddedModels } from "../support/models.js";
import { treeOptions } from "../support/fake-engine.js";

const models = embeddedModels();

/** A greedy step of the generator and what the verifier thinks of it. */
async function stepWith(options: { stockKernels?: boolean; gpuLayers?: number }) {
  const { gpuLayers, ...rest } = options;
  const file = (path: string) => ({ path, ...(gpuLayers !== undefined && { gpuLayers }) });
  await using core = await EngineCore.load({
    ...{ generator: file(models!.generator), verifier: file(models!.verifier) },
    ...rest,
  });
  const sampler = { temperature: 0, topK: 0, topP: 1, minP: 0 };
  const prompts = { prompt: "Q: 17+26?\n", verifierPrompt: "Q: 17+26?\n" };
  await using tree = await core.openTree(treeOptions({ ...prompts, sampler }));
  const [branch] = tree.fork(tree.root, 1);
  await tree.extend([branch!], { score: true });
  await tree.score([branch!]);
  return { ...branch!.steps[0]!, stats: core.stats() };
}

describe.skipIf(models === undefined)("on the embedded models", () => {
  test("stock kernels give the same step, and the statistics say whose they were", async () => {
    const ours = await stepWith({});
    const stock = await stepWith({ stockKernels: true });
    expect(ours.stats.treeAttention).toBe(2);
    expect(stock.stats).toMatchObject({ treeAttention: 0, deviceSampling: 0 });
    expect(stock.text).toBe(ours.text);
    expect(Math.abs(stock.logProbability - ours.logProbability)).toBeLessThan(0.1);
    expect(Math.abs(Math.log(stock.score!) - Math.log(ours.score!))).toBeLessThan(0.1);
  });

  test("a model without layers on a GPU is read by tree plans on the CPU, in every build", async () => {
    const { stats } = await stepWith({ gpuLayers: 0 });
    expect(stats).toMatchObject({ treeAttention: 2, deviceSampling: 0 });
  });
});
