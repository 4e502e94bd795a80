/** Judged searches on an engine in a process of its own: what was said to the judge goes on, too. */
import { existsSync } from "node:fs";

import { describe, expect, test, vi } from "vitest";

import type { EngineCore } from "../../lib/engine/engine-core.js";
import type { TreeOptions } from "../../lib/engine/tree.js";
import { treeOptions, type Fake } from "../support/fake-engine.js";
import { conversation, loadJudge } from "../support/fake-judge.js";
import { once } from "../support/faults.js";
import { engineProcesses } from "../support/isolated-processes.js";

const judge = { ...conversation, votes: 2 };

/** Steps that are judged while others are written. */
async function searchOn(engine: EngineCore, options: Partial<TreeOptions> = {}) {
  const tree = await engine.openTree(treeOptions(options));
  let branches = tree.fork(tree.root, 4);
  for (let round = 0; round < 3; round++) {
    await tree.extend(branches, { score: true });
    await tree.score(branches);
    const [first, second, ...others] = branches;
    tree.release([...others, second!]);
    branches = [first!, ...tree.fork(first!, 3)];
  }
  const solutions = branches.map(({ steps }) => steps);
  return { solutions, exhausted: tree.exhausted, ledger: await tree.close() };
}

async function undisturbed(options: Partial<TreeOptions> = {}) {
  await using engine = await loadJudge(judge, {}, {}, undefined);
  return await searchOn(engine, options);
}

const isolated = (verifier: Fake = {}, generator: Fake = {}) => loadJudge(judge, verifier, generator, "process");

test("isolated, steps have the same scores at the same cost", async () => {
  const expected = await undisturbed();
  await using engine = await isolated();
  const found = await searchOn(engine);
  const { milliseconds, kvCellsPeak, verifierKvCellsPeak, treeTokensPeak } = found.ledger; // of the moment
  const ofTheMoment = { milliseconds, kvCellsPeak, verifierKvCellsPeak, treeTokensPeak };
  expect(found).toEqual({ ...expected, ledger: { ...expected.ledger, ...ofTheMoment } });
});

describe("steps have the scores that they would have had", () => {
  test.each([1, 3, 10, 16])("after a crash in the judge's decode %i", async (crashAtDecode) => {
    const expected = await undisturbed();
    const fault = once({ crashAtDecode });
    await using engine = await isolated(fault);
    const { solutions, ledger } = await searchOn(engine);
    expect(existsSync(fault.faultFile)).toBe(false); // it has come to pass
    expect(solutions).toEqual(expected.solutions);
    expect(ledger.verifierTokens).toBeGreaterThanOrEqual(expected.ledger.verifierTokens);
    if (crashAtDecode >= 10) expect(ledger.recomputedTokens).toBeGreaterThan(expected.ledger.recomputedTokens);
  });

  test.each([1, 4, 9])("after a crash in the generator's decode %i", async (crashAtDecode) => {
    const expected = await undisturbed();
    await using engine = await isolated({}, once({ crashAtDecode }));
    expect((await searchOn(engine)).solutions).toEqual(expected.solutions);
  });

  test("after a kill, of several searches at once", async () => {
    const seeds = [1, 2, 3];
    const expected = await Promise.all(seeds.map((seed) => undisturbed({ seed })));
    await using engine = await isolated({ decodeMicroseconds: 1000 });
    const searches = Promise.all(seeds.map((seed) => searchOn(engine, { seed })));
    await vi.waitUntil(() => engine.stats().verifierDecodes > 8, { timeout: 30_000, interval: 1 });
    for (const pid of engineProcesses()) process.kill(pid, "SIGKILL");
    expect((await searches).map(({ solutions }) => solutions)).toEqual(expected.map(({ solutions }) => solutions));
    await vi.waitUntil(() => engine.stats().branches === 0);
    expect(engine.stats()).toMatchObject({ searches: 0, kvCells: 0, verifierKvCells: 0, leases: 0 });
  });
});

test("what is read again after a crash counts as that, and not as a new prompt", async () => {
  async function scoredOn(engine: EngineCore, between?: () => Promise<unknown>) {
    const tree = await engine.openTree(treeOptions());
    tree.write(tree.root, "3+4\n");
    await tree.score([tree.root]);
    await between?.();
    tree.write(tree.root, "7\n");
    await tree.score([tree.root]);
    return { steps: tree.root.steps, ledger: await tree.close() };
  }
  await using plain = await loadJudge(judge, {}, {}, undefined);
  await using engine = await isolated();
  const expected = await scoredOn(plain);
  const found = await scoredOn(engine, async () => {
    for (const pid of engineProcesses()) process.kill(pid, "SIGKILL");
    await vi.waitUntil(() => engine.stats().branches === 0, { interval: 1 });
    await vi.waitUntil(() => engine.stats().branches > 0, { timeout: 30_000 });
  });
  expect(found.steps).toEqual(expected.steps);
  expect(found.ledger.verifierPromptTokens).toBe(expected.ledger.verifierPromptTokens);
  expect(found.ledger.recomputedTokens).toBeGreaterThan(0);
});

test("what crashes its judge fails, with a typed error; the searches beside it are not harmed", async () => {
  const expected = await undisturbed();
  await using engine = await isolated({ crashOnToken: "#".charCodeAt(0) });
  const bad = await engine.openTree(treeOptions());
  bad.write(bad.root, "#\n");
  const good = [searchOn(engine), searchOn(engine)];
  await expect(bad.score([bad.root])).rejects.toMatchObject({ code: "ENGINE_CRASHED" });
  for (const one of good) expect((await one).solutions).toEqual(expected.solutions);
  await expect(bad.extend([bad.fork(bad.root, 1)[0]!])).rejects.toMatchObject({ code: "ENGINE_CRASHED" });
  await bad.close();
});

test("a question that the judge cannot hold is refused, and the engine goes on", async () => {
  await using engine = await isolated({ positions: 8 });
  const opening = engine.openTree(treeOptions({ verifierPrompt: "1+2+3+4+5?" }));
  await expect(opening).rejects.toMatchObject({ code: "CONTEXT_EXCEEDED" });
  await using tree = await engine.openTree(treeOptions());
  await tree.extend([tree.root]);
  expect(tree.root.text).not.toBe("");
});

test("a budget of operations holds for both over a crash", async () => {
  const { ledger } = await undisturbed();
  const flopsBudget = ledger.flops / 2;
  await using engine = await isolated(once({ crashAtDecode: 10 }));
  const found = await searchOn(engine, { flopsBudget });
  expect(found.exhausted).toBe(true);
  expect(found.ledger.flops).toBeLessThanOrEqual(flopsBudget);
});

test("a search that is stopped while there is no process has no verdict, and says so", async () => {
  await using engine = await isolated({ decodeMicroseconds: 20_000 });
  await using tree = await engine.openTree(treeOptions());
  tree.write(tree.root, "3+4\n");
  const scoring = tree.score([tree.root]);
  await vi.waitUntil(() => engine.stats().verifierDecodes > 0, { timeout: 30_000, interval: 1 });
  for (const pid of engineProcesses()) process.kill(pid, "SIGKILL");
  await vi.waitUntil(() => engineProcesses().length === 0, { interval: 1 });
  tree.stop();
  await scoring;
  expect(tree.root.steps[0]!.score).toBeNull();
  expect(tree.exhausted).toBe(true);
});
