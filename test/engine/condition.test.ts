/** Branches that go on from an attempt and words after it, over the real addon and the fake backend. */
import { afterEach, beforeEach, expect, test } from "vitest";

import type { EngineCore } from "../../lib/engine/engine-core.js";
import type { TreeOptions } from "../../lib/engine/tree.js";
import { loadFake, treeOptions } from "../support/fake-engine.js";

let engine: EngineCore;
beforeEach(async () => void (engine = await loadFake()));
afterEach(() => engine.close());

/** An attempt and three revisions of it, all written to their ends. */
async function revise(options: Partial<TreeOptions> = {}) {
  const tree = await engine.openTree(treeOptions(options));
  const [attempt] = tree.fork(tree.root, 1);
  await tree.extend([attempt!], { steps: Infinity });
  const conditioned = tree.condition(attempt!, "no: ");
  const revisions = tree.fork(conditioned, 3);
  await tree.extend(revisions, { steps: Infinity });
  return { tree, attempt: attempt!, conditioned, revisions };
}

test("a revision is a solution of its own, its context is not part of it", async () => {
  const { tree, attempt, conditioned, revisions } = await revise();
  const before = attempt.text;
  expect(attempt.finished).toBe(true);
  expect(conditioned).toMatchObject({ steps: [], text: "", finishReason: null, finished: false });
  expect(new Set(revisions.map(({ text }) => text)).size).toBeGreaterThan(1);
  for (const revision of revisions) {
    expect(revision.finished).toBe(true);
    expect(revision.steps.length).toBeGreaterThan(0);
    expect(revision.text).not.toContain("no: ");
  }
  // The original stays usable, and is as it was.
  await tree.extend([attempt]);
  expect(attempt.text).toBe(before);
  const ledger = await tree.close();
  expect(ledger.promptTokens).toBe(4 + 4); // "1+2?" and "no: ", each once
  expect(ledger.recomputedTokens).toBe(0);
  expect(ledger.kvCellsPeak).toBe(ledger.treeTokensPeak);
});

test("the same seed and path write the same revision", async () => {
  const [first, second] = [await revise(), await revise()];
  expect(first.revisions.map(({ text }) => text)).toEqual(second.revisions.map(({ text }) => text));
});

test("scores are of the revision's steps alone; what the verifier reads before them is an option", async () => {
  const scoresOf = async (verifierSeesContext: boolean) => {
    const { tree, attempt, revisions } = await revise({ verifierSeesContext });
    await tree.score(revisions);
    if (!verifierSeesContext) expect(attempt.steps.every(({ score }) => score === null)).toBe(true);
    const ledger = await tree.close();
    expect(ledger.verifierPromptTokens).toBe(verifierSeesContext ? 8 : 4);
    const steps = revisions.flatMap((revision) => revision.steps);
    // The verifier is the same toy: having read the same, it finds a step as likely as the generator did.
    for (const { score, logProbability } of verifierSeesContext ? steps : []) {
      expect(score).toBeCloseTo(Math.exp(logProbability), 5);
    }
    return steps.map(({ score }) => score);
  };
  const [blind, seeing] = [await scoresOf(false), await scoresOf(true)];
  expect(blind).toHaveLength(seeing.length);
  expect(blind).not.toEqual(seeing);
});

test("maxLength is that of one solution, and a context too long for the model is a length stop", async () => {
  const tree = await engine.openTree(treeOptions({ maxLength: 5, steps: { delimiters: [] } }));
  const [attempt] = tree.fork(tree.root, 1);
  await tree.extend([attempt!]);
  expect(attempt!.text).toHaveLength(5);
  const [again, tooLong] = [tree.condition(attempt!, "and "), tree.condition(attempt!, "9".repeat(2000))];
  await tree.extend([again, tooLong]);
  expect(again.text).toHaveLength(5);
  expect(tooLong).toMatchObject({ steps: [], finishReason: "length", finished: false });
  expect(tree.exhausted).toBe(false);
  await tree.close();
});

test("a released attempt cannot be conditioned, but leaves its revisions alive", async () => {
  const { tree, attempt, conditioned } = await revise();
  tree.release([attempt]);
  expect(() => tree.condition(attempt, "x")).toThrow(expect.objectContaining({ code: "BRANCH_RELEASED" }));
  const chain = tree.condition(tree.condition(conditioned, ""), "once more ");
  await tree.extend([chain], { steps: Infinity });
  expect(chain.finished).toBe(true);
  await tree.close();
  expect(engine.stats()).toMatchObject({ kvCells: 0, leases: 0, searches: 0, branches: 0 });
});
