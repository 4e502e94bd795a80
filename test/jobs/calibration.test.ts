/** A calibration over workers that are killed: real processes, a real Redis, the fake backend. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Queue } from "bullmq";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Engine } from "../../lib/index.js";
import { calibrationByWorkers } from "../../lib/jobs/runs.js";
import { calibrate } from "../../lib/training/calibrate.js";
import { RedisServer, unlessRedis } from "../support/redis.js";
import { fake, grader, killAtWork, WorkerProcesses } from "../support/worker-processes.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-jobs-"));

describe.skipIf(unlessRedis.skip)(`a calibration over workers${unlessRedis.reason}`, () => {
  let redis: RedisServer;
  let engine: Engine;
  let workers: WorkerProcesses;
  beforeAll(async () => {
    redis = await RedisServer.start();
    workers = new WorkerProcesses(redis.url);
    engine = await Engine.load({ generator: { fake }, verifier: { fake } });
  });
  afterAll(async () => {
    workers.kill();
    await engine.close();
    await redis.kill();
    rmSync(folder, { recursive: true });
  });

  const questions = Array.from({ length: 24 }, (_, i) => ({
    ...{ id: String(i), question: `${i}+2?`, answer: String(i % 3), other: {} },
  }));
  const settings = { budgets: [1, 4, 16], bins: 3, probes: 4, tolerance: 0.01, seed: 7 };

  function calibrated(queue: string | undefined, onWorkers?: Parameters<typeof calibrationByWorkers>[0]["onWorkers"]) {
    const options = { redis: { url: redis.url }, queue, engine, grader, version: "test", onWorkers };
    const execute = queue === undefined ? undefined : calibrationByWorkers(options);
    const journal = join(folder, `${queue ?? "local"}.jsonl`);
    return calibrate(engine, questions, { ...settings, journal, grader, execute });
  }

  it("ends with the same policy here, by one worker, and by three of which one is killed twice", async () => {
    const local = JSON.stringify(await calibrated(undefined));

    const alone = workers.start("one", "alone");
    expect(JSON.stringify(await calibrated("one"))).toBe(local);
    alone.kill("SIGTERM");
    expect(await once(alone, "exit")).toEqual([0, null]);

    const steady = [workers.start("three", "a"), workers.start("three", "b")];
    let doomed = workers.start("three", "doomed");
    let done: ReadonlyMap<string, number> = new Map();
    let ended = false;
    const policy = calibrated("three", (report) => (done = report.done)).finally(() => (ended = true));
    const queue = new Queue("three", { connection: { url: redis.url }, prefix: "thinktree" });
    for (let kills = 0; kills < 2; kills++) {
      expect(await killAtWork(doomed, "doomed", queue, () => ended)).toBe(true);
      doomed = workers.start("three", "doomed");
    }
    expect(JSON.stringify(await policy)).toBe(local);
    expect([...done.keys()].length).toBeGreaterThanOrEqual(2);
    for (const worker of [...steady, doomed]) worker.kill("SIGTERM");
    expect(await queue.getJobCounts()).toMatchObject({ active: 0, waiting: 0, completed: 0, failed: 0 });
    await queue.close();
  });
});
