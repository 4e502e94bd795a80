/** Beams that work ahead, through the real addon: the same search in fewer decodes, and a ledger that says so. */
import { readFileSync } from "node:fs";

import { afterEach, expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { beamSearch, dvts, type Strategy } from "../../lib/strategies/index.js";
import { answerExtractor } from "../../lib/verifiers/answer.js";
import { embeddedModels } from "../support/models.js";
import { abortAfter, loadFake, treeOptions } from "../support/fake-engine.js";

let engine: EngineCore;
afterEach(() => engine.close());

const context = { answerOf: answerExtractor({ answerPrefix: "A: " }) };

async function search(strategy: Strategy, options = treeOptions()) {
  const before = engine.stats();
  const tree = await engine.openTree(options);
  const solutions = await strategy.explore(tree, context);
  const ledger = await tree.close();
  const { decodes, kvCells, leases, branches } = engine.stats();
  expect({ kvCells, leases, branches }).toEqual({ kvCells: 0, leases: 0, branches: 0 });
  return {
    texts: solutions.map(({ steps }) => steps.map(({ text }) => text)),
    ledger,
    decodes: decodes - before.decodes,
  };
}

test("the same search in fewer decodes", async () => {
  engine = await loadFake();
  const beam = { n: 32, beamWidth: 4, maxRounds: 6 };
  const [plain, ahead] = [await search(beamSearch(beam)), await search(beamSearch({ ...beam, workAhead: true }))];
  expect(ahead.texts).toEqual(plain.texts);
  expect(ahead.decodes).toBeLessThan(plain.decodes);
  const { speculatedTokens, speculatedKept, generatedTokens, coalescedTokens, verifierTokens } = ahead.ledger;
  expect({ generatedTokens, coalescedTokens, verifierTokens }).toEqual({
    generatedTokens: plain.ledger.generatedTokens,
    coalescedTokens: plain.ledger.coalescedTokens,
    verifierTokens: plain.ledger.verifierTokens,
  });
  expect(plain.ledger.speculatedTokens).toBe(0);
  expect(speculatedKept).toBeGreaterThan(0);
  expect(speculatedTokens).toBeGreaterThan(speculatedKept);
});

// What subtrees write alike depends on when each goes on, so that only the sum is certain.
test("subtrees that work ahead write the same", async () => {
  engine = await loadFake({ decodeMicroseconds: 200 });
  const subtrees = { n: 32, beamWidth: 4, maxRounds: 6 };
  const [plain, ahead] = [await search(dvts(subtrees)), await search(dvts({ ...subtrees, workAhead: true }))];
  expect(ahead.texts).toEqual(plain.texts);
  const drawn = ({ ledger }: typeof ahead) => ledger.generatedTokens + ledger.coalescedTokens;
  expect(drawn(ahead)).toBe(drawn(plain));
  expect(ahead.ledger.speculatedKept).toBeGreaterThan(0);
});

test("nothing is begun where there is a budget of tokens or flops", async () => {
  engine = await loadFake();
  const beam = beamSearch({ n: 16, beamWidth: 4, maxRounds: 6, workAhead: true });
  for (const budget of [{ tokenBudget: 1e6 }, { flopsBudget: 1e12 }]) {
    expect((await search(beam, treeOptions(budget))).ledger.speculatedTokens).toBe(0);
  }
});

test("a search that is cancelled while it works ahead leaves nothing behind", async () => {
  engine = await loadFake({ decodeMicroseconds: 50_000 });
  const tree = await engine.openTree(treeOptions({ signal: abortAfter(engine, 6) }));
  const beams = tree.extend(tree.fork(tree.root, 32), { ahead: 4, score: true });
  await expect(beams).rejects.toMatchObject({ code: "CANCELLED" });
  await tree.close();
  expect(engine.stats()).toMatchObject({ kvCells: 0, leases: 0, branches: 0, searches: 0 });
});

const models = embeddedModels();

test.skipIf(models === undefined)("the embedded models write the same ahead as in turn", async () => {
  engine = await EngineCore.load();
  const questions = readFileSync(models!.heldOut, "utf8").split("\n").slice(0, 6);
  let kept = 0;
  for (const [seed, line] of questions.entries()) {
    const prompt = `Q: ${(JSON.parse(line) as { question: string }).question}\n`;
    const options = treeOptions({ prompt, verifierPrompt: prompt, finalPrefix: "A: ", seed });
    const beam = { n: 16, beamWidth: 4 };
    const plain = await search(beamSearch(beam), options);
    const ahead = await search(beamSearch({ ...beam, workAhead: true }), options);
    expect(ahead.texts).toEqual(plain.texts);
    expect(ahead.ledger.generatedTokens).toBe(plain.ledger.generatedTokens);
    kept += ahead.ledger.speculatedKept;
  }
  expect(kept).toBeGreaterThan(0);
});
