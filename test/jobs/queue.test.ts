/** Coordinator and workers over a real Redis, with an engine that does as it is told. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ThinkTreeError } from "../../lib/errors.js";
import { doUnits, type Unit } from "../../lib/evaluation/units.js";
import type { Grader } from "../../lib/grading/grader.js";
import type { Engine } from "../../lib/index.js";
import { byWorkers, type CoordinatorOptions } from "../../lib/jobs/coordinator.js";
import { mostTakeovers } from "../../lib/jobs/job.js";
import type { NodeIdentity } from "../../lib/jobs/node-identity.js";
import { workOff, type WorkerOptions } from "../../lib/jobs/worker.js";
import { RedisServer, unlessRedis } from "../support/redis.js";

const node: NodeIdentity = {
  ...{ version: "1", generator: "g", verifier: "v", generatorRecipe: null, verifierRecipe: "r" },
  ...{ policy: "p", grader: "same" },
};
const run = { task: "a test" };
const unitsOf = (count: number): Unit<string>[] =>
  Array.from({ length: count }, (_, i) => ({ key: `unit ${i}`, branches: 1, work: String(i) }));

describe.skipIf(unlessRedis.skip)(`the queue${unlessRedis.reason}`, () => {
  let redis: RedisServer;
  let queue: Queue;
  let client: Redis;
  let journal = "";
  let endings: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    redis = await RedisServer.start();
    client = new Redis(redis.url, { maxRetriesPerRequest: null });
    client.on("error", () => undefined); // a test may end the server
    queue = new Queue("thinktree", { connection: client, prefix: "thinktree" });
    queue.on("error", () => undefined);
    const folder = mkdtempSync(join(tmpdir(), "thinktree-queue-"));
    journal = join(folder, "run.jsonl");
    endings = [async () => rmSync(folder, { recursive: true })];
  });
  afterEach(async () => {
    await Promise.allSettled(endings.map((end) => end()));
    client.disconnect();
    await redis.kill();
  });

  type Scoring = (question: string, signal: AbortSignal) => Promise<number[]>;
  const plain: Scoring = async (question) => [Number(question) / 100];

  /** A worker whose engine scores like that; `ended` is what becomes of it. */
  function startWorker(score: Scoring = plain, options: Partial<WorkerOptions> = {}) {
    const stop = new AbortController();
    const engine = {
      score: async (question: string, _: unknown, { signal }: { signal: AbortSignal }) => ({
        scores: await score(question, signal),
      }),
    };
    const ended = workOff({
      ...{ redis: { url: redis.url, patienceMs: 1_000 }, node, name: "a worker", takeOverMs: 1_000, stop: stop.signal },
      ...{ engine: engine as unknown as Engine, grader: {} as Grader },
      ...options,
    });
    ended.catch(() => undefined); // looked at later, or not
    endings.push(() => {
      stop.abort();
      return ended;
    });
    return { stop, ended };
  }

  function executor(options: Partial<CoordinatorOptions> = {}) {
    return byWorkers<string, unknown>(
      { redis: { url: redis.url, patienceMs: 1_000 }, node, ...options },
      (question) => ({ kind: "score", work: { question, steps: ["a step"] } }),
    );
  }

  function done(units: readonly Unit<string>[], options: Partial<CoordinatorOptions> = {}, signal?: AbortSignal) {
    const values = doUnits({ journal, run, units, execute: executor(options), signal });
    values.catch(() => undefined); // looked at later
    return values;
  }

  const keysInJournal = () =>
    readFileSync(journal, "utf8")
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => (JSON.parse(line) as { key: string }).key);
  const left = async () =>
    Object.values(await queue.getJobCounts("wait", "active", "completed", "failed")).reduce((a, b) => a + b);

  it("does every unit once, tells whose work it was, and leaves nothing", async () => {
    startWorker(plain, { name: "left" });
    startWorker(plain, { name: "right" });
    let reported: readonly [string, number][] = [];
    let listening = 0;
    const slowly: Scoring = (question, signal) => after(20, undefined, { signal }).then(() => plain(question, signal));
    startWorker(slowly, { name: "slow", branches: 2 });
    const valueOf = await done(unitsOf(300), {
      onWorkers: (report) => {
        reported = [...report.done];
        ({ listening } = report);
      },
    });
    for (const { key, work } of unitsOf(300)) expect(valueOf(key)).toEqual({ scores: [Number(work) / 100] });
    expect(keysInJournal()).toHaveLength(300);
    expect(new Set(keysInJournal()).size).toBe(300);
    expect(listening).toBeGreaterThan(0);
    for (const [name] of reported) expect(["left", "right", "slow"]).toContain(name);
    expect(await left()).toBe(0);
    expect(await client.keys("*:owner")).toEqual([]);
  });

  it("fills no worker with more branches than it takes", async () => {
    let underWay = 0;
    let most = 0;
    const counting: Scoring = async (question, signal) => {
      most = Math.max(most, ++underWay);
      await after(30);
      underWay--;
      return plain(question, signal);
    };
    startWorker(counting, { branches: 12 });
    await done(unitsOf(30).map((unit) => ({ ...unit, branches: 4 })));
    expect(most).toBe(3);
  });

  it("takes one value of a unit that two workers have done", async () => {
    const gate = new AbortController();
    const seen: string[] = [];
    const late: Scoring = async (question) => {
      seen.push("late");
      await after(60_000, undefined, { signal: gate.signal }).catch(() => undefined);
      return plain(question, gate.signal);
    };
    const slow = startWorker(late, { branches: 1, takeOverMs: 60_000 });
    const units = unitsOf(1);
    const ending = done(units);
    while (seen.length === 0) await after(10);
    // As if it had been cut off so long that its lock has run out.
    const [job] = await queue.getActive();
    await client.del(`${queue.toKey(job!.id!)}:lock`);
    startWorker(async (question, signal) => {
      seen.push("second");
      gate.abort(); // the first ends now, too
      await after(100);
      return plain(question, signal);
    });
    expect((await ending)("unit 0")).toEqual({ scores: [0] });
    expect(seen).toEqual(["late", "second"]);
    slow.stop.abort();
    expect(await slow.ended).toBe(0);
    expect(keysInJournal()).toEqual(["unit 0"]);
    expect(await left()).toBe(0);
  });

  it("fails with a unit's own error, asks it of nobody again, and keeps what is done", async () => {
    const asked: string[] = [];
    const poisoned: Scoring = async (question, signal) => {
      asked.push(question);
      if (question === "7") throw new ThinkTreeError("BAD_LOGITS", "not a number");
      return plain(question, signal);
    };
    startWorker(poisoned, { branches: 1 });
    startWorker(poisoned, { branches: 1 });
    await expect(done(unitsOf(60))).rejects.toMatchObject({ code: "BAD_LOGITS", message: "not a number" });
    expect(await left()).toBe(0);
    const failures = asked.filter((question) => question === "7");
    await after(300);
    expect(asked.filter((question) => question === "7")).toEqual(failures);
    expect(failures).toHaveLength(1);
    expect(keysInJournal()).not.toContain("unit 7");
  });

  it("gives up a unit that takes its workers with it", async () => {
    const ending = done(unitsOf(1));
    // Takes jobs and is never heard of again.
    const locks = { lockDuration: 50, stalledInterval: 50, drainDelay: 0.05, maxStalledCount: mostTakeovers };
    const vanishing = new Worker("thinktree", null, { connection: client, prefix: "thinktree", ...locks });
    endings.push(() => vanishing.close(true));
    await vanishing.startStalledCheckTimer();
    for (let taken = 0; taken <= mostTakeovers;) if (await vanishing.getNextJob(`token ${taken}`)) taken++;
    const asked: string[] = [];
    startWorker((question, signal) => {
      asked.push(question);
      return plain(question, signal);
    });
    await expect(ending).rejects.toMatchObject({
      code: "QUEUE_FAILED",
      message: expect.stringMatching(/^unit 0 is given up: 6 workers vanished .*stalled more/) as string,
    });
    expect(asked).toEqual([]);
    expect(await left()).toBe(0);
  });

  it("wants the password that Redis wants", async () => {
    await client.config("SET", "requirepass", "secret");
    await expect(done(unitsOf(1), { redis: { url: redis.url } })).rejects.toMatchObject({
      code: "QUEUE_FAILED",
      message: expect.stringMatching(/^cannot use Redis at 127\.0\.0\.1:\d+: .*NOAUTH/) as string,
    });
    await expect(done(unitsOf(1), { redis: { url: redis.url, password: "wrong" } })).rejects.toThrow(/WRONGPASS/);
    const given = { url: redis.url, password: "secret" };
    startWorker(plain, { redis: given });
    expect((await done(unitsOf(1), { redis: given }))("unit 0")).toEqual({ scores: [0] });
  });

  it("refuses a run of other models or another version, and leaves its units to others", async () => {
    const other = startWorker(plain, { node: { ...node, verifier: "w", version: "2" } });
    const ending = done(unitsOf(5));
    await expect(other.ended).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/wants another version, verifier: start the worker/) as string,
    });
    expect(await left()).toBe(5);
    startWorker();
    expect((await ending)("unit 4")).toEqual({ scores: [0.04] });
  });

  it("wants of workers no more than the values depend on", async () => {
    startWorker(plain, { node: { ...node, policy: "another" } });
    const { version, generator, verifier } = node;
    expect((await done(unitsOf(1), { node: { version, generator, verifier } }))("unit 0")).toEqual({ scores: [0] });
  });

  it("refuses jobs that are none of ours", async () => {
    await queue.add("foreign", { to: "somebody" });
    await expect(startWorker().ended).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  it("ends with a typed error where Redis is gone for good, and loses nothing that is finished", async () => {
    const asked: string[] = [];
    let gone: Promise<void> | undefined;
    const breaking: Scoring = async (question, signal) => {
      asked.push(question);
      if (asked.length === 20) gone = after(300).then(() => redis.kill());
      if (asked.length > 20) await after(60_000, undefined, { signal });
      return plain(question, signal);
    };
    const worker = startWorker(breaking, { branches: 4 });
    const idle = startWorker(plain, { queue: "another" });
    await expect(done(unitsOf(40))).rejects.toMatchObject({
      code: "QUEUE_FAILED",
      message: expect.stringMatching(/^lost Redis at 127\.0\.0\.1:\d+.*start the same command/) as string,
    });
    await expect(worker.ended).rejects.toMatchObject({ code: "QUEUE_FAILED" });
    await expect(idle.ended).rejects.toMatchObject({ code: "QUEUE_FAILED" });
    await gone;
    const kept = keysInJournal();
    expect(kept.length).toBeGreaterThanOrEqual(16);

    await redis.restart();
    const again: string[] = [];
    startWorker((question, signal) => {
      again.push(question);
      return plain(question, signal);
    });
    const valueOf = await done(unitsOf(40));
    expect(valueOf("unit 39")).toEqual({ scores: [0.39] });
    expect(again).toHaveLength(40 - kept.length);
    expect(keysInJournal()).toHaveLength(40);
  });

  it("goes on where Redis comes back with nothing in it", async () => {
    let restarted: Promise<void> | undefined;
    startWorker((question, signal) => {
      if (question === "5") restarted ??= redis.restart();
      return plain(question, signal);
    });
    const valueOf = await done(unitsOf(50));
    expect(restarted).toBeDefined();
    expect(valueOf("unit 49")).toEqual({ scores: [0.49] });
    expect(keysInJournal()).toHaveLength(50);
  });

  it("takes its units off the queue when it is stopped, and workers stop doing them", async () => {
    const controller = new AbortController();
    let stopped = 0;
    startWorker(async (_, signal) => {
      controller.abort();
      await after(60_000, undefined, { signal }).catch(() => stopped++);
      throw signal.reason;
    });
    await expect(done(unitsOf(50), {}, controller.signal)).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await left()).toBe(0);
    while (stopped === 0) await after(20);
  });

  it("lets a worker end what it has under way, and leaves the rest to others", async () => {
    const asked: string[] = [];
    const first = startWorker(async (question, signal) => {
      asked.push(question);
      first.stop.abort();
      await after(200);
      return plain(question, signal);
    });
    const ending = done(unitsOf(20));
    const ended = await first.ended;
    expect(ended).toBe(asked.length);
    expect(ended).toBeLessThan(20);
    startWorker((question, signal) => {
      expect(asked).not.toContain(question);
      return plain(question, signal);
    });
    await ending;
    expect(keysInJournal()).toHaveLength(20);
  });

  it("goes on from what a coordinator that was killed has left there", async () => {
    const asked: string[] = [];
    startWorker((question, signal) => {
      asked.push(question);
      return plain(question, signal);
    });
    // Killed: it has put its units there and taken nothing back, and was about to clear up.
    const taken = new Set<string>();
    const first = executor()(run, unitsOf(8), () => new Promise(() => undefined), undefined);
    while (asked.length < 8) await after(10);
    first.catch(() => undefined);
    await queue.pause();
    await client.set(queue.toKey("owner"), "its claim has run out", "PX", 1);
    await executor()(run, unitsOf(9), async (key) => void taken.add(key), undefined);
    expect(taken.size).toBe(9);
    expect(asked).toHaveLength(9);
  });

  it("is one run's at a time", async () => {
    const controller = new AbortController();
    const first = done(unitsOf(3), {}, controller.signal);
    while ((await left()) === 0) await after(10);
    await expect(executor()({ task: "another" }, unitsOf(1), async () => undefined, undefined)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/queue thinktree at .* is another run's now/) as string,
    });
    expect(await left()).toBe(3);
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it.each([
    ["not an address", "INVALID_OPTION", /redis: an address such as/],
    ["http://127.0.0.1:1", "INVALID_OPTION", /redis: an address such as/],
    ["redis://user:secret@127.0.0.1:1", "QUEUE_FAILED", /cannot use Redis at 127\.0\.0\.1:1: .*ECONNREFUSED/],
  ])("says at once what is wrong with %s", async (url, code, message) => {
    const failing = done(unitsOf(1), { redis: { url } });
    await expect(failing).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    await expect(failing).rejects.not.toThrow(/secret/);
  });
});
