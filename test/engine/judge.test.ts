/** Judges over the fake backend: what they are asked, what is shared, counted, cancelled; strategies under one. */
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { EngineCore } from "../../lib/engine/engine-core.js";
import { scoreSolution } from "../../lib/scheduler/score.js";
import { solve } from "../../lib/scheduler/solve.js";
import { defaultPolicy } from "../../lib/scheduler/default-policy.js";
import { beamSearch, bestOfN } from "../../lib/strategies/index.js";
import { abortAfter, treeOptions } from "../support/fake-engine.js";
import { conversation, loadJudge } from "../support/fake-judge.js";

let engine: EngineCore;
beforeEach(async () => {
  engine = await loadJudge({ votes: 3 });
});
afterEach(async () => {
  const { searches, branches, kvCells, verifierKvCells, leases } = engine.stats();
  await engine.close();
  expect({ searches, branches, kvCells, verifierKvCells, leases }).toEqual({
    ...{ searches: 0, branches: 0, kvCells: 0, verifierKvCells: 0, leases: 0 },
  });
});

const use = async (other: EngineCore) => {
  await engine.close();
  engine = other;
};

async function scoresOf(steps: readonly string[], core = engine): Promise<readonly number[]> {
  const { scores } = await scoreSolution(core, "1+2?", steps);
  return scores;
}

describe("scores", () => {
  it("are shares of the verdict's words, one a step, and the same for the same seed", async () => {
    expect(engine.models.verifier).toMatchObject({ reading: "judge" });
    const scores = await scoresOf(["3+4", "7"]);
    expect(scores).toHaveLength(2);
    for (const score of scores) expect(score).toSatisfy((p: number) => p > 0 && p < 1);
    expect(await scoresOf(["3+4", "7"])).toEqual(scores);
    const others = await scoresOf(["3+4", "8"]);
    expect(others[0]).toBe(scores[0]);
    expect(others[1]).not.toBe(scores[1]);
  });

  it("are the mean of the votes", async () => {
    // A vote's random stream is that of its fork: the first of two is the only one of one.
    await use(await loadJudge({ votes: 1 }));
    const single = await scoresOf(["3+4"]);
    await use(await loadJudge({ votes: 2 }));
    const both = await scoresOf(["3+4"]);
    await use(await loadJudge({ votes: 2, temperature: 0 }));
    const greedy = await scoresOf(["3+4"]);
    await use(await loadJudge({ votes: 1, temperature: 0 }));
    expect(await scoresOf(["3+4"])).toEqual(greedy);
    const second = 2 * both[0]! - single[0]!;
    expect(second).toSatisfy((p: number) => p > 0 && p < 1);
    expect(second).not.toBeCloseTo(single[0]!, 6);
  });

  it("end where the context has no room for a verdict: an error, not half of them", async () => {
    await use(await loadJudge({}, { positions: 24 }, { positions: 400 }));
    await expect(scoresOf(["3+4=7, so it is 7"])).rejects.toMatchObject({ code: "CONTEXT_EXCEEDED" });
  });
});

describe("what a judge costs", () => {
  it("is what it is told and what it writes, the question once, and alike analyses once", async () => {
    await use(await loadJudge({ votes: 4, temperature: 0, tokens: 3, ends: [], verdict: "so " }));
    const { ledger } = await scoreSolution(engine, "1+2?", ["3+4", "7"]);
    const question = "Question: 1+2?\nAnswer:".length;
    const asked = "[1]3+4?1=".length + "[1]3+4\n[2]7?2=".length;
    expect(ledger.verifierTokens).toBe(2); // greedily the toy ends its line, and then its text
    expect(ledger.verifierPromptTokens).toBe(question + asked + 2 * 4 * "...so ".length); // each vote has a verdict
    expect(ledger.flops).toBe(2 * 1000 * (ledger.verifierPromptTokens + ledger.verifierTokens));
  });

  it("goes on in a conversation from the first vote, and tells nothing twice", async () => {
    await use(await loadJudge({ ...conversation, votes: 1, temperature: 0, tokens: 3, ends: [] }));
    const { ledger } = await scoreSolution(engine, "1+2?", ["3+4", "7"]);
    const question = "Question: 1+2?\nAnswer:".length;
    const asked = "[1]3+4?1=".length + "+\nnext\n[2]7?2=".length;
    expect(ledger.verifierPromptTokens).toBe(question + asked + 2 * "...so ".length);
  });

  it("is paid once for steps that say the same, by whatever branch", async () => {
    const tree = await engine.openTree(treeOptions());
    const [a, b, c] = tree.fork(tree.root, 3) as [typeof tree.root, typeof tree.root, typeof tree.root];
    for (const branch of [a, b, c]) tree.write(branch, "3+4\n");
    tree.write(c, "5\n");
    await tree.score([a]);
    const { verifierTokens } = await tree.ledger();
    await tree.score([b]);
    expect((await tree.ledger()).verifierTokens).toBe(verifierTokens);
    expect(b.steps[0]!.score).toBe(a.steps[0]!.score);
    await tree.score([c]);
    expect((await tree.ledger()).verifierTokens).toBeGreaterThan(verifierTokens);
    await tree.close();
  });

  it("is few decodes: all votes on all branches write together", async () => {
    const tree = await engine.openTree(treeOptions());
    const branches = tree.fork(tree.root, 8);
    branches.forEach((branch, i) => tree.write(branch, `${i}\n`));
    await tree.score(branches);
    const { verifierDecodes } = engine.stats();
    const { verifierTokens } = await tree.ledger();
    expect(verifierTokens).toBeGreaterThan(8 * verifierDecodes);
    await tree.close();
  });
});

describe("strategies under a judge", () => {
  it.each([beamSearch({ n: 4, beamWidth: 2 }), bestOfN({ n: 4 })])(
    "$name: every step has a score",
    async (strategy) => {
      for (const rules of [{ votes: 2 }, { ...conversation, votes: 2 }]) {
        await use(await loadJudge(rules));
        const run = () => solve(engine, defaultPolicy(true), "1+2?", { strategy, seed: 5 });
        const [answer, again] = [await run(), await run()];
        expect(answer.finishReason).toBe("complete");
        for (const { steps } of answer.candidates) {
          for (const { score } of steps) expect(score).toSatisfy((p: number) => p > 0 && p < 1);
        }
        expect(again.candidates.map(({ text, score }) => [text, score])).toEqual(
          answer.candidates.map(({ text, score }) => [text, score]),
        );
      }
    },
  );

  it("keep their budget of operations, and have no score beyond it", async () => {
    const strategy = bestOfN({ n: 4 });
    const flops = 2 * 1000 * 300;
    const answer = await solve(engine, defaultPolicy(true), "1+2?", { strategy, seed: 5, budget: { flops } });
    expect(answer.ledger.flops).toBeLessThanOrEqual(flops);
    expect(answer.finishReason).toBe("budget");
  });

  it("end with their deadline, also while steps are judged", async () => {
    await use(await loadJudge({ votes: 2 }, { decodeMicroseconds: 50_000 }));
    const budget = { milliseconds: 400 };
    const answer = await solve(engine, defaultPolicy(true), "1+2?", { strategy: bestOfN({ n: 4 }), seed: 5, budget });
    expect(answer.finishReason).toBe("deadline");
    expect(answer.candidates.length).toBeGreaterThan(0);
  });

  it("end with their deadline, also where the tree is told late that it is open", async () => {
    await use(await loadJudge({ votes: 2 }, { decodeMicroseconds: 50_000 }));
    const openTree: EngineCore["openTree"] = async (options, account) => {
      const tree = await engine.openTree(options, account);
      await sleep(100);
      return tree;
    };
    const late = { models: engine.models, openTree } as EngineCore;
    const budget = { milliseconds: 400 };
    const answer = await solve(late, defaultPolicy(true), "1+2?", { strategy: bestOfN({ n: 4 }), seed: 5, budget });
    expect(answer.finishReason).toBe("deadline");
  });
});

describe("nothing is left", () => {
  it("of a search that is cancelled while steps are judged", async () => {
    await use(await loadJudge({ votes: 2 }, { decodeMicroseconds: 2_000 }));
    const strategy = bestOfN({ n: 8 });
    for (const decodes of [1, 3, 5, 7, 9]) {
      const signal = abortAfter(
        { stats: () => ({ ...engine.stats(), decodes: engine.stats().verifierDecodes }) },
        decodes,
      );
      const solving = solve(engine, defaultPolicy(true), "1+2?", { strategy, seed: decodes, signal });
      await expect(solving).rejects.toMatchObject({ code: "CANCELLED" });
    }
  });

  it("of one whose judge fails, and another one is judged", async () => {
    const poisonToken = "#".charCodeAt(0);
    await use(await loadJudge({ votes: 2 }, { poisonToken }));
    const tree = await engine.openTree(treeOptions());
    const [bad, good] = tree.fork(tree.root, 2) as [typeof tree.root, typeof tree.root];
    tree.write(bad, "#\n");
    tree.write(good, "3\n");
    await expect(tree.score([bad, good])).rejects.toMatchObject({ code: "DECODE_FAILED" });
    expect(good.steps[0]!.score).toSatisfy((p: number) => p > 0 && p < 1);
    await expect(tree.score([bad])).rejects.toMatchObject({ code: "DECODE_FAILED" });
    await tree.close();
  });

  it("of a question that the judge cannot hold", async () => {
    await use(await loadJudge({}, { positions: 8 }));
    await expect(engine.openTree(treeOptions({ verifierPrompt: "1+2+3+4+5?" }))).rejects.toMatchObject({
      code: "CONTEXT_EXCEEDED",
    });
  });

  it("of an engine that closes while steps are judged", async () => {
    await use(await loadJudge({ votes: 2 }, { decodeMicroseconds: 5_000 }));
    const tree = await engine.openTree(treeOptions());
    tree.write(tree.root, "3+4\n");
    const scoring = tree.score([tree.root]);
    scoring.catch(() => undefined);
    await engine.close();
    await expect(scoring).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    await use(await loadJudge());
  });
});

it("words that are no single tokens are refused before anything is asked", async () => {
  await expect(loadJudge({ positive: "Yes" })).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: /"Yes" is not a single/,
  });
});
