/** A calibration over workers that are killed: real processes, a real Redis, the fake backend. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";

import { Queue } from "bullmq";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Engine } from "../../lib/index.js";
import { calibrationByWorkers } from "../../lib/jobs/runs.js";
import { calibrate } from "../../lib/training/calibrate.js";
import { RedisServer, unlessRedis } from "../support/redis.js";

const dist = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);
const folder = mkdtempSync(join(tmpdir(), "thinktree-jobs-"));
const fake = { decodeMicroseconds: 300 };

/** What `thinktree worker` does, on the fake backend. */
const program = (url: string, queue: string, name: string) => `
  import { Engine } from ${dist("index.js")};
  import { identityOf } from ${dist("jobs/node-identity.js")};
  import { workOff } from ${dist("jobs/worker.js")};
  const stop = new AbortController();
  process.on("SIGTERM", () => stop.abort());
  const fake = ${JSON.stringify(fake)};
  const engine = await Engine.load({ generator: { fake }, verifier: { fake } });
  const grader = { name: "same", grade: async (answer, reference) => answer === reference };
  await workOff({
    redis: { url: "${url}" }, queue: "${queue}", name: "${name}", takeOverMs: 1000, branches: 16, stop: stop.signal,
    engine, grader, node: identityOf(engine, grader, "test"),
  });
  await engine.close();
`;

describe.skipIf(unlessRedis.skip)(`a calibration over workers${unlessRedis.reason}`, () => {
  let redis: RedisServer;
  let engine: Engine;
  const children = new Set<ChildProcess>();
  beforeAll(async () => {
    redis = await RedisServer.start();
    engine = await Engine.load({ generator: { fake }, verifier: { fake } });
  });
  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await engine.close();
    await redis.kill();
    rmSync(folder, { recursive: true });
  });

  function startWorker(queue: string, name: string): ChildProcess {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program(redis.url, queue, name)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
  }

  const questions = Array.from({ length: 24 }, (_, i) => ({
    ...{ id: String(i), question: `${i}+2?`, answer: String(i % 3), other: {} },
  }));
  const settings = { budgets: [1, 4, 16], bins: 3, probes: 4, tolerance: 0.01, seed: 7 };
  const grader = { name: "same", grade: async (answer: string | null, reference: string) => answer === reference };

  function calibrated(queue: string | undefined, onWorkers?: Parameters<typeof calibrationByWorkers>[0]["onWorkers"]) {
    const options = { redis: { url: redis.url }, queue, engine, grader, version: "test", onWorkers };
    const execute = queue === undefined ? undefined : calibrationByWorkers(options);
    const journal = join(folder, `${queue ?? "local"}.jsonl`);
    return calibrate(engine, questions, { ...settings, journal, grader, execute });
  }

  it("ends with the same policy here, by one worker, and by three of which one is killed twice", async () => {
    const local = JSON.stringify(await calibrated(undefined));

    const alone = startWorker("one", "alone");
    expect(JSON.stringify(await calibrated("one"))).toBe(local);
    alone.kill("SIGTERM");
    expect(await once(alone, "exit")).toEqual([0, null]);

    const steady = [startWorker("three", "a"), startWorker("three", "b")];
    let doomed = startWorker("three", "doomed");
    let done: ReadonlyMap<string, number> = new Map();
    let ended = false;
    const policy = calibrated("three", (report) => (done = report.done)).finally(() => (ended = true));
    await using queue = disposable(new Queue("three", { connection: { url: redis.url }, prefix: "thinktree" }));
    let kills = 0;
    while (kills < 2 && !ended) {
      // Held still, it cannot end what it has under way before it is killed.
      doomed.kill("SIGSTOP");
      const held = (await queue.getActive()).filter((job) => job?.processedBy === "doomed");
      doomed.kill(held.length > 0 ? "SIGKILL" : "SIGCONT");
      if (held.length > 0) {
        kills++;
        doomed = startWorker("three", "doomed");
      }
      await after(20);
    }
    expect(JSON.stringify(await policy)).toBe(local);
    expect(kills).toBe(2);
    expect([...done.keys()].length).toBeGreaterThanOrEqual(2);
    for (const worker of [...steady, doomed]) worker.kill("SIGTERM");
    expect(await queue.getJobCounts()).toMatchObject({ active: 0, waiting: 0, completed: 0, failed: 0 });
  });
});

function disposable<T extends { close(): Promise<void> }>(queue: T): T & AsyncDisposable {
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() });
}
