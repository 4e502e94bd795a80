/**
 * A real recurrent model, whose states can be forked at their ends alone: searches write what each branch writes alone,
 * within few states as within many. It is lent beside the checkout (shared/models/test); without it these tests skip.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { afterEach, describe, expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { beamSearch, bestOfN, Engine } from "../../lib/index.js";
import { treeOptions } from "../support/fake-engine.js";
import { threeRounds } from "../support/three-rounds.js";

const generator = fileURLToPath(new URL("../../../shared/models/test/tiny-rwkv-7v0-834K.gguf", import.meta.url));

let engine: EngineCore | undefined;
afterEach(() => engine?.close());

async function grow(kvCells: number) {
  const core = (engine = await EngineCore.load({ generator, verifier: generator, kvCells }));
  const tree = await core.openTree(
    treeOptions({ prompt: "The sum of 3 and 4 is", steps: { delimiters: [" "] }, maxLength: 60 }),
  );
  const found = await threeRounds(tree);
  expect(core.stats()).toMatchObject({ kvCells: 0, verifierKvCells: 0, leases: 0, searches: 0, branches: 0 });
  await core.close();
  return found;
}

describe.skipIf(!existsSync(generator))("a recurrent model (skipped without shared/models/test)", () => {
  test("writes and scores the same whether its states stay or are computed again", async () => {
    const roomy = await grow(16_384);
    const tight = await grow(2 * 256);
    expect(roomy.texts.some((text) => text.length > 0)).toBe(true);
    expect(roomy.ledger.recomputedTokens).toBe(0);
    expect(tight.ledger.recomputedTokens).toBeGreaterThan(0);
    expect(tight.texts).toEqual(roomy.texts);
    tight.scores.forEach((score, i) => expect(score).toBeCloseTo(roomy.scores[i] ?? Number.NaN, 5));
  });

  test("is searched through the public engine", async () => {
    await using loaded = await Engine.load({ generator, verifier: generator });
    const question = "What is 3 + 4?";
    for (const strategy of [bestOfN({ n: 8 }), beamSearch({ n: 8, beamWidth: 2 })]) {
      const { candidates, ledger } = await loaded.solve(question, { strategy, budget: { tokens: 1500 } });
      expect(candidates.length).toBeGreaterThan(0);
      expect(ledger.generatedTokens).toBeGreaterThan(0);
      expect(ledger.generatedTokens).toBeLessThanOrEqual(1500);
    }
  });

  test("says the cells that its states stand for", async () => {
    engine = await EngineCore.load({ generator, verifier: null, kvCells: 1024 });
    expect(engine.models.generator.kvCells).toBe(1024);
  });

  test("neither drafts nor is drafted for", async () => {
    await expect(EngineCore.load({ generator, verifier: null, draft: generator })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: /leave draft out/,
    });
  });
});
