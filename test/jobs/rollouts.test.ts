/** Rollouts over two workers of which one is killed: real processes, a real Redis, the fake backend. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Queue } from "bullmq";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Engine } from "../../lib/index.js";
import { rolloutsByWorkers } from "../../lib/jobs/runs.js";
import { labelSteps, stepLabelsOf } from "../../lib/training/label-steps.js";
import { RedisServer, unlessRedis } from "../support/redis.js";
import { fake, grader, killAtWork, WorkerProcesses } from "../support/worker-processes.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-jobs-"));

describe.skipIf(unlessRedis.skip)(`rollouts over workers${unlessRedis.reason}`, () => {
  let redis: RedisServer;
  let engine: Engine;
  let workers: WorkerProcesses;
  beforeAll(async () => {
    redis = await RedisServer.start();
    workers = new WorkerProcesses(redis.url);
    engine = await Engine.load({ generator: { fake }, verifier: null }); // workers have one, which this run does not mind
  });
  afterAll(async () => {
    workers.kill();
    await engine.close();
    await redis.kill();
    rmSync(folder, { recursive: true });
  });

  const questions = Array.from({ length: 40 }, (_, i) => ({
    ...{ id: String(i), question: `${i}+2?`, answer: String(i % 3), other: {} },
  }));
  const how = { solutions: 6, rollouts: 8, seed: 7, sampling: {} };

  /** The lines that the command writes. */
  async function labels(queue: string | undefined): Promise<string[]> {
    const options = { redis: { url: redis.url }, queue, engine, grader, version: "test" };
    const execute = queue === undefined ? undefined : rolloutsByWorkers(options);
    const journal = join(folder, `${queue ?? "local"}.jsonl`);
    const labelled = await labelSteps(engine, questions, { ...how, journal, grader, execute });
    return questions.flatMap((one, i) => stepLabelsOf(one, labelled[i]!, how).map((row) => JSON.stringify(row)));
  }

  it("ends with the same labels here, by one worker, and by two of which one is killed", async () => {
    const local = await labels(undefined);
    expect(local.length).toBeGreaterThan(100);

    const alone = workers.start("one", "alone");
    expect(await labels("one")).toEqual(local);
    alone.kill("SIGTERM");
    expect(await once(alone, "exit")).toEqual([0, null]);

    const steady = workers.start("two", "steady");
    const doomed = workers.start("two", "doomed");
    let ended = false;
    const spread = labels("two").finally(() => (ended = true));
    const queue = new Queue("two", { connection: { url: redis.url }, prefix: "thinktree" });
    expect(await killAtWork(doomed, "doomed", queue, () => ended)).toBe(true);
    expect(await spread).toEqual(local);
    steady.kill("SIGTERM");
    expect(await queue.getJobCounts()).toMatchObject({ active: 0, waiting: 0, completed: 0, failed: 0 });
    await queue.close();
  });
});
