/** An engine in a process of its own that crashes, is killed or hangs: what was under way goes on in the next. */
import { setTimeout as sleep } from "node:timers/promises";

import { describe, expect, test, vi } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import type { IsolationOptions } from "../../lib/engine/options.js";
import type { Branch } from "../../lib/engine/search-tree.js";
import type { Tree, TreeOptions } from "../../lib/engine/tree.js";
import type { ThinkTreeError } from "../../lib/errors.js";
import { treeOptions, type Fake } from "../support/fake-engine.js";
import { once } from "../support/faults.js";
import { engineProcesses, isAlive } from "../support/isolated-processes.js";

function load(generator: Fake = {}, isolation?: "process" | IsolationOptions, verifier: Fake = {}) {
  return EngineCore.load({ generator: { fake: generator }, verifier: { fake: verifier }, isolation });
}

/** A beam search by hand, with a revision of its best solution. */
async function search(tree: Tree) {
  let beams = tree.fork(tree.root, 6);
  for (let round = 0; round < 3; round++) {
    await tree.extend(beams, { score: true });
    await tree.score(beams);
    const best = beams.filter((beam) => !beam.finished).sort((a, b) => scoreOf(b) - scoreOf(a));
    const next = best.slice(0, 2).flatMap((beam) => tree.fork(beam, 3));
    tree.release(beams.filter((beam) => !beam.finished));
    beams = [...beams.filter((beam) => beam.finished), ...next];
  }
  await tree.extend(beams, { steps: Infinity });
  const given = tree.fork(tree.root, 1)[0]!;
  tree.write(given, "7+7\n");
  const again = tree.fork(tree.condition(beams[0]!, "4+4\n"), 2);
  await tree.extend([...again, given], { steps: Infinity });
  const all = [...beams, ...again, given];
  await tree.score(all);
  return { solutions: all.map(({ steps, finishReason }) => ({ steps, finishReason })), ledger: await tree.close() };
}

const scoreOf = ({ steps }: Branch) => steps.at(-1)?.score ?? 0;

async function searchOn(engine: EngineCore, options: Partial<TreeOptions> = {}) {
  return search(await engine.openTree(treeOptions(options)));
}

async function undisturbed(options: Partial<TreeOptions> = {}) {
  await using engine = await load();
  return await searchOn(engine, options);
}

test("isolated, a search writes, scores and costs the same as in this process", async () => {
  const expected = await undisturbed();
  await using engine = await load({}, "process");
  const found = await searchOn(engine);
  expect(found).toEqual({ ...expected, ledger: { ...expected.ledger, milliseconds: found.ledger.milliseconds } });
});

describe("what was under way goes on", () => {
  test.each([1, 2, 8, 15, 23, 40])("after a crash in decode %i, to the same solutions", async (crashAtDecode) => {
    const expected = await undisturbed();
    await using engine = await load(once({ crashAtDecode }), "process");
    const { solutions, ledger } = await searchOn(engine);
    expect(solutions).toEqual(expected.solutions);
    // What the crash has cost is told apart; what was lost in mid-step is written twice.
    expect(ledger.promptTokens).toBeLessThanOrEqual(expected.ledger.promptTokens + 4);
    expect(ledger.generatedTokens).toBeGreaterThanOrEqual(expected.ledger.generatedTokens);
    expect(ledger.generatedTokens).toBeLessThan(expected.ledger.generatedTokens + 100);
    if (crashAtDecode > 8) expect(ledger.recomputedTokens).toBeGreaterThan(expected.ledger.recomputedTokens);
  });

  test("after a crash in the verifier", async () => {
    const expected = await undisturbed();
    await using engine = await load({}, "process", once({ crashAtDecode: 3 }));
    expect((await searchOn(engine)).solutions).toEqual(expected.solutions);
  });

  test("after a hang", async () => {
    const expected = await undisturbed();
    await using engine = await load(once({ hangAtDecode: 12 }), { hangMilliseconds: 400 });
    expect((await searchOn(engine)).solutions).toEqual(expected.solutions);
  });

  test("of many searches at once, after a kill", async () => {
    const seeds = [1, 2, 3, 4, 5];
    await using plain = await load();
    const expected = await Promise.all(seeds.map((seed) => searchOn(plain, { seed })));
    await using engine = await load({ decodeMicroseconds: 1000 }, "process");
    const searches = Promise.all(seeds.map((seed) => searchOn(engine, { seed })));
    await vi.waitUntil(() => engine.stats().decodes > 10, { timeout: 10_000 });
    for (const pid of engineProcesses()) process.kill(pid, "SIGKILL");
    expect((await searches).map(({ solutions }) => solutions)).toEqual(expected.map(({ solutions }) => solutions));
  });

  test("with a hidden state that was being read", async () => {
    await using plain = await load();
    const expected = await (await plain.openTree(treeOptions())).hiddenState();
    await using engine = await load(once({ crashAtDecode: 1 }), "process");
    expect(await (await engine.openTree(treeOptions())).hiddenState()).toEqual(expected);
  });

  test("and a search that was idle when its process died finds itself where it was", async () => {
    await using plain = await load();
    await using engine = await load({}, "process");
    const trees = [await plain.openTree(treeOptions()), await engine.openTree(treeOptions())] as const;
    const branches = trees.map((tree) => tree.fork(tree.root, 3));
    await Promise.all(trees.map((tree, i) => tree.extend(branches[i]!)));
    for (const pid of engineProcesses()) process.kill(pid, "SIGKILL");
    await vi.waitUntil(() => engineProcesses().length === 0);
    await Promise.all(trees.map((tree, i) => tree.extend(branches[i]!, { steps: Infinity, score: true })));
    await Promise.all(trees.map((tree, i) => tree.score(branches[i]!)));
    expect(branches[1]!.map(({ steps }) => steps)).toEqual(branches[0]!.map(({ steps }) => steps));
  });
});

describe("the cause fails, with a typed error", () => {
  const token = (character: string) => character.charCodeAt(0);

  test("and the searches beside it are not harmed", async () => {
    const expected = await undisturbed();
    await using engine = await load({ crashOnToken: token("!") }, "process");
    const bad = await engine.openTree(treeOptions({ prompt: "1+2!" }));
    const good = [searchOn(engine), searchOn(engine)];
    await expect(bad.extend(bad.fork(bad.root, 4))).rejects.toMatchObject({
      code: "ENGINE_CRASHED",
      message: expect.stringMatching(/SIGABRT.*the toy crashes/) as string,
      cause: { message: "the toy crashes\n" },
    });
    for (const one of good) expect((await one).solutions).toEqual(expected.solutions);
    await expect(bad.extend([bad.root])).rejects.toMatchObject({ code: "ENGINE_CRASHED" }); // as ever after
    expect(await bad.close()).toMatchObject({ generatedTokens: 0 });
    expect((await searchOn(engine)).solutions).toEqual(expected.solutions);
  });

  test("if it hangs", async () => {
    await using engine = await load({ hangAtDecode: 2 }, { hangMilliseconds: 200 });
    await expect(searchOn(engine)).rejects.toMatchObject({
      code: "ENGINE_HUNG",
      message: expect.stringContaining("hangMilliseconds") as string,
    });
  });

  test("a decode that takes long is no hang, as long as it goes on", async () => {
    await using engine = await load({ decodeMicroseconds: 900_000 }, { hangMilliseconds: 300 });
    const tree = await engine.openTree(treeOptions({ maxLength: 1 }));
    await tree.extend([tree.root]);
    expect(tree.root.text).toHaveLength(1);
  });
});

test("an engine that keeps dying fails for good", async () => {
  await using engine = await load({ crashAtDecode: 1 }, { restarts: 2 });
  const outcomes = await Promise.allSettled([1, 2, 3, 4, 5].map((seed) => searchOn(engine, { seed })));
  const codes = outcomes.map((outcome) => outcome.status === "rejected" && (outcome.reason as ThinkTreeError).code);
  expect(codes.slice(0, 2)).toEqual(["ENGINE_CRASHED", "ENGINE_CRASHED"]); // each by itself, in its turn
  expect(new Set(codes.slice(2))).toEqual(new Set(["ENGINE_CLOSED"]));
  const opening = engine.openTree(treeOptions());
  await expect(opening).rejects.toMatchObject({ code: "ENGINE_CLOSED", cause: { code: "ENGINE_CRASHED" } });
  expect(engineProcesses()).toEqual([]);
});

test("a model that cannot be loaded is refused as ever", async () => {
  const loading = EngineCore.load({ generator: "/nowhere.gguf", isolation: "process" });
  await expect(loading).rejects.toMatchObject({ code: "MODEL_LOAD_FAILED" });
  expect(engineProcesses()).toEqual([]);
});

describe("limits hold whatever dies", () => {
  test("a budget of tokens, of one search and of several together", async () => {
    const tokenBudget = 120;
    for (const crashAtDecode of [5, 20]) {
      await using engine = await load(once({ crashAtDecode }), "process");
      const account = engine.newAccount();
      const trees = await Promise.all(
        [1, 2].map((seed) => engine.openTree(treeOptions({ seed, tokenBudget }), account)),
      );
      await Promise.all(trees.map((tree) => tree.extend(tree.fork(tree.root, 8), { steps: Infinity })));
      const ledgers = await Promise.all(trees.map((tree) => tree.close()));
      expect(ledgers[0]!.generatedTokens + ledgers[1]!.generatedTokens).toBeLessThanOrEqual(tokenBudget);
      expect(trees.some((tree) => tree.exhausted)).toBe(true);
    }
  });

  test("a deadline, while there is no process", async () => {
    await using engine = await load({ decodeMicroseconds: 20_000 }, "process");
    const tree = await engine.openTree(treeOptions({ deadlineMs: 300, steps: { delimiters: [] } }));
    const extending = tree.extend(tree.fork(tree.root, 2), { steps: Infinity });
    await vi.waitUntil(() => engine.stats().decodes > 1);
    const killing = setInterval(() => engineProcesses().forEach((pid) => process.kill(pid, "SIGKILL")), 5);
    await extending;
    clearInterval(killing);
    expect(tree.exhausted).toBe(true);
    await tree.close();
  });

  test("a signal and a stop, while there is no process", async () => {
    await using engine = await load({ decodeMicroseconds: 20_000 }, "process");
    const abort = new AbortController();
    const trees = [
      await engine.openTree(treeOptions({ signal: abort.signal })),
      await engine.openTree(treeOptions()),
    ] as const;
    const running = trees.map((tree) => tree.extend(tree.fork(tree.root, 2), { steps: Infinity }));
    await vi.waitUntil(() => engine.stats().decodes > 1);
    for (const pid of engineProcesses()) process.kill(pid, "SIGKILL");
    await vi.waitUntil(() => engineProcesses().length === 0, { interval: 1 });
    abort.abort();
    trees[1].stop();
    await expect(running[0]).rejects.toMatchObject({ code: "CANCELLED" });
    await running[1];
    expect(trees[1].exhausted).toBe(true);
    await trees[1].close();
    expect((await searchOn(engine)).solutions.length).toBeGreaterThan(0);
  });
});

test("random kills leave nothing behind", async () => {
  const kills = Number(process.env["THINKTREE_TEST_KILLS"] ?? 12);
  const expected = await undisturbed();
  const handles = () => process.getActiveResourcesInfo().filter((name) => name !== "Timeout").length;
  const before = handles();
  {
    await using engine = await load({ decodeMicroseconds: 300 }, { restarts: 1000 });
    let random = 1;
    for (let kill = 0; kill < kills; kill++) {
      random = (random * 48271) % 2147483647;
      const searching = searchOn(engine).catch((error: unknown) => error);
      await sleep(random % 60);
      for (const pid of engineProcesses()) process.kill(pid, "SIGKILL");
      expect(await searching).toMatchObject({ solutions: expected.solutions });
    }
    await vi.waitUntil(() => engineProcesses().length === 1); // the last kill may have met one without work
    await vi.waitUntil(() => engine.stats().branches === 0);
    expect(engine.stats()).toMatchObject({ kvCells: 0, verifierKvCells: 0, searches: 0 });
  }
  expect(engineProcesses()).toEqual([]);
  await vi.waitUntil(() => handles() === before);
}, 600_000);

test("close() ends the process, whatever it does; several engines have one each", async () => {
  const engines = await Promise.all([1, 2].map(() => load({ decodeMicroseconds: 1000 }, "process")));
  const pids = engineProcesses();
  expect(pids).toHaveLength(2);
  const tree = await engines[0]!.openTree(treeOptions());
  const extending = tree.extend([tree.root], { steps: Infinity });
  const closing = engines[0]!.close();
  await expect(extending).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
  await closing;
  expect(pids.filter(isAlive)).toHaveLength(1);
  expect((await searchOn(engines[1]!)).solutions.length).toBeGreaterThan(0);
  await engines[1]!.close();
  expect(pids.filter(isAlive)).toEqual([]);
});
