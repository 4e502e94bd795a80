/** How large the caches are, and what their numbers are. */
import { describe, expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { embeddedModels } from "../support/models.js";
import { treeOptions } from "../support/fake-engine.js";

const models = embeddedModels();
const [generator, verifier] = [models?.generator ?? "", models?.verifier ?? ""];

test("memory and cells together are refused", async () => {
  const both = EngineCore.load({ generator: { fake: {} }, kvCells: 512, kvMib: 8 });
  await expect(both).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringContaining("kvMib") as string,
  });
});

describe.skipIf(models === undefined)("on the embedded models", () => {
  test("one amount of memory is split: the larger model gets more of it", async () => {
    await using core = await EngineCore.load({ generator, verifier, kvMib: 24 });
    const { generator: small, verifier: large } = core.models;
    expect(large!.parameters).toBeGreaterThan(small.parameters);
    expect(small.kvCells % 256).toBe(0);
    expect(large!.kvCells % 256).toBe(0);
    await using halved = await EngineCore.load({ generator, verifier: generator, kvMib: 24 });
    expect(halved.models.verifier!.kvCells).toBe(halved.models.generator.kvCells);
    await using alone = await EngineCore.load({ generator, verifier: null, kvMib: 24 });
    expect(Math.abs(alone.models.generator.kvCells - 2 * halved.models.generator.kvCells)).toBeLessThanOrEqual(256);
  });

  test("quants take about half the memory, and a search on them is as whole as one on halves", async () => {
    await using halves = await EngineCore.load({ generator, verifier, kvMib: 24 });
    await using quants = await EngineCore.load({ generator, verifier, kvMib: 24, kvType: "q8_0" });
    const ratio = quants.models.generator.kvCells / halves.models.generator.kvCells;
    expect(ratio).toBeGreaterThan(1.8);
    expect(ratio).toBeLessThan(1.95);
    await using tree = await quants.openTree(treeOptions({ prompt: "Q: 17+26?\n", verifierPrompt: "Q: 17+26?\n" }));
    const branches = tree.fork(tree.root, 8);
    await tree.extend(branches, { score: true });
    await tree.score(branches);
    for (const { steps } of branches) {
      for (const { score } of steps) {
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
      }
    }
    expect(quants.stats().treeAttention).toBe(2);
  });
});
