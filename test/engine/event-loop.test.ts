/** What an application's main thread has to bear while an engine works in its process: next to nothing. */
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";

import { loadFake, treeOptions } from "../support/fake-engine.js";

describe("the main thread", () => {
  test("goes on turning during a decode", async ({ annotate }) => {
    const decodeMs = 500;
    await using engine = await loadFake({ decodeMicroseconds: decodeMs * 1000 }, null);
    const tree = await engine.openTree(treeOptions());
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const before = engine.stats().decodes;
    await tree.extend(tree.fork(tree.root, 16), { steps: 1 });
    clearInterval(timer);
    delay.disable();
    const decodes = engine.stats().decodes - before;
    expect(decodes).toBeGreaterThan(2);
    // If it waited for a decode, it would turn a few times for each. Counted and not timed: a busy machine slows both.
    expect(turns / decodes).toBeGreaterThan(decodeMs / 20);
    const ms = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(2);
    await annotate(
      `event loop delay over ${decodes} decodes of ${decodeMs} ms: ${ms(delay.percentile(99))} ms (99th percentile), ${ms(delay.max)} ms at most`,
    );
  });

  test("keeps its engine while others' environments are torn down in mid-decode, and begun anew", async () => {
    await using engine = await loadFake({ decodeMicroseconds: 2_000 });
    const tree = await engine.openTree(treeOptions());
    const branches = tree.fork(tree.root, 8);
    const extending = tree.extend(branches, { steps: Infinity, score: true });
    const index = new URL("../../dist/index.js", import.meta.url).href;
    const program = `
      import { parentPort } from "node:worker_threads";
      import { Engine } from ${JSON.stringify(index)};
      const engine = await Engine.load({ generator: { fake: { decodeMicroseconds: 20000 } }, verifier: null });
      engine.solve("1+2?").catch(() => undefined);
      while (engine.stats().decodes === 0) await new Promise(setImmediate);
      parentPort.postMessage("busy");
    `;
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
      await once(worker, "message");
      expect(await worker.terminate()).toBe(1);
    }
    await extending;
    await tree.score(branches);
    expect(branches.every(({ finished }) => finished)).toBe(true);
    expect(branches.every(({ steps }) => steps.every(({ score }) => score !== null))).toBe(true);
  });
});
