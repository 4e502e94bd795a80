/**
 * The end of the queue that has units to be done.
 *
 * Owns: whose run the queue is, which units are on it, taking in values: each once, however often a unit was done.
 * Must not know: what units are, who does them.
 *
 * The queue's finished jobs are where values wait: a job is removed when its value is kept, so that whatever breaks in between
 * is told again. A run that was killed finds its jobs, finished or not, by their names.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import { Queue, type Job } from "bullmq";

import { ThinkTreeError } from "../errors.js";
import type { Executor, Unit } from "../evaluation/units.js";
import { forEachOf } from "../scheduler/at-once.js";
import { mostTakeovers, prefix, usualQueue, type JobData, type QueueOptions } from "./job.js";
import { digestOf, type NodeIdentity } from "./node-identity.js";
import { connect, queueFailure, type RedisConnection } from "./redis.js";
import type { Outcome, Task } from "./task.js";

export interface CoordinatorOptions extends QueueOptions {
  /** What workers must be alike in; no more than the values depend on. */
  readonly node: Partial<NodeIdentity>;
  /** Called every second or so, and when all is done. */
  readonly onWorkers?: ((report: WorkersReport) => void) | undefined;
}

export interface WorkersReport {
  /** Listening to the queue. */
  readonly listening: number;
  /** Units done for this run, by worker. */
  readonly done: ReadonlyMap<string, number>;
}

/** Units on the queue at once: enough for many workers, and no burden for Redis. */
const mostQueued = 4_096;
const pollMs = 100;
/** Values that are taken in side by side: Redis may be far away. */
const atOnce = 64;
const reportMs = 1_000;
/** Of the claim to a queue. A coordinator that was killed holds it so long. */
const claimMs = 3_000;

const claim = `
  local owner = redis.call("get", KEYS[1])
  if owner and owner ~= ARGV[1] then return 0 end
  redis.call("set", KEYS[1], ARGV[1], "PX", ARGV[2])
  return 1`;

/**
 * Has units done by the workers that listen to the queue.
 * @throws {ThinkTreeError} QUEUE_FAILED: Redis is not there, or a unit's workers vanish; INVALID_OPTION: the queue is another
 * run's; CANCELLED; and what units throw
 */
export function byWorkers<Work, Value>(
  options: CoordinatorOptions,
  taskOf: (work: Work) => Task,
): Executor<Work, Value> {
  return async (run, units, take, signal) => {
    await using connection = await connect(options.redis);
    const coordinator = new Coordinator(connection, options, digestOf([options.node, run]));
    try {
      await coordinator.claim(signal, true);
      try {
        await coordinator.collect(units, (unit) => taskOf(unit.work), take as Take, signal);
      } finally {
        await coordinator.clear();
      }
    } catch (error) {
      throw queueFailure(connection, error);
    } finally {
      await coordinator.close();
    }
  };
}

type Take = (key: string, value: unknown) => Promise<void>;

class Coordinator {
  private readonly id = randomUUID();
  private readonly name: string;
  private readonly queue: Queue<JobData, Outcome>;
  private readonly done = new Map<string, number>();
  private reported = 0;

  constructor(
    private readonly connection: RedisConnection,
    private readonly options: CoordinatorOptions,
    private readonly run: string,
  ) {
    this.name = options.queue ?? usualQueue;
    this.queue = new Queue<JobData, Outcome>(this.name, { connection: connection.redis, prefix });
    this.queue.on("error", () => undefined); // told by the command that it fails
  }

  /** Makes the queue this run's, or keeps it so. `wait`: for a coordinator that may be dead. */
  async claim(signal: AbortSignal | undefined, wait = false): Promise<void> {
    const { redis, place } = this.connection;
    const until = performance.now() + (wait ? 1.5 * claimMs : 0);
    while ((await redis.eval(claim, 1, this.queue.toKey("owner"), this.id, claimMs)) !== 1) {
      throwIfStopped(signal);
      if (performance.now() > until) {
        const mend = "wait for its end, or name another queue for coordinator and workers";
        throw new ThinkTreeError("INVALID_OPTION", `queue ${this.name} at ${place} is another run's now: ${mend}`);
      }
      await after(pollMs);
    }
    if (!wait) return;
    // What another run has left there, killed before it could clear up.
    if ((await redis.get(this.queue.toKey("run"))) !== this.run) await this.queue.obliterate({ force: true });
    await redis.set(this.queue.toKey("run"), this.run);
    await this.queue.resume(); // it may have been killed while it did so
  }

  async collect<Work>(
    units: readonly Unit<Work>[],
    taskOf: (unit: Unit<Work>) => Task,
    take: Take,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const rest = units.values();
    const queued = new Map<string, { readonly key: string; readonly data: JobData }>();
    let forgotten = false; // a Redis that was started anew may have lost the jobs
    this.connection.redis.on("ready", () => (forgotten = true));
    for (let ended = false; !ended || queued.size > 0;) {
      throwIfStopped(signal);
      await this.claim(signal);
      const added = forgotten ? [...queued.keys()] : [];
      forgotten = false;
      while (!ended && queued.size < mostQueued) {
        const { value: unit, done = false } = rest.next();
        ended = done;
        if (!unit) break;
        const data = { node: this.options.node, branches: unit.branches, task: taskOf(unit) };
        added.push(this.nameOf(unit.key));
        queued.set(added.at(-1)!, { key: unit.key, data });
      }
      // One that is there by this name already stays as it is.
      await this.queue.addBulk(
        added.map((jobId) => ({ name: "unit", data: queued.get(jobId)!.data, opts: { jobId } })),
      );
      const finished = await this.queue.getJobs(["completed", "failed"], 0, 255);
      await forEachOf(finished, atOnce, undefined, async (job) => {
        const key = queued.get(job.id!)?.key;
        if (key !== undefined) {
          await take(key, valueOf(job, key));
          queued.delete(job.id!);
          this.count(job.processedBy ?? "unknown");
        }
        await job.remove();
      });
      await this.report();
      if (finished.length === 0) await after(pollMs);
    }
    await this.report(0);
  }

  /** Nothing of this run is left for workers. */
  async clear(): Promise<void> {
    const { redis, lost } = this.connection;
    if (lost.aborted) return;
    if ((await redis.get(this.queue.toKey("owner"))) !== this.id) return;
    await this.queue.obliterate({ force: true });
    await redis.del(this.queue.toKey("owner"), this.queue.toKey("run"));
  }

  async close(): Promise<void> {
    await this.queue.close();
  }

  /** The same for the same unit of the same run, of this process or another. */
  private nameOf(key: string): string {
    return `unit-${digestOf([this.run, key])}`;
  }

  private count(worker: string): void {
    this.done.set(worker, (this.done.get(worker) ?? 0) + 1);
  }

  private async report(everyMs = reportMs): Promise<void> {
    const { onWorkers } = this.options;
    if (onWorkers === undefined || performance.now() - this.reported < everyMs) return;
    this.reported = performance.now();
    onWorkers({ listening: await this.queue.getWorkersCount(), done: this.done });
  }
}

/** @throws {ThinkTreeError} as the unit did; QUEUE_FAILED: its workers vanish */
function valueOf({ returnvalue, failedReason }: Job<JobData, Outcome>, key: string): unknown {
  if (failedReason !== undefined) {
    const why = `${mostTakeovers + 1} workers vanished while they did it (${failedReason})`;
    throw new ThinkTreeError("QUEUE_FAILED", `${key} is given up: ${why}: see what ended them`);
  }
  if ("value" in returnvalue) return returnvalue.value;
  const { code, message } = returnvalue.error;
  throw new ThinkTreeError(code, message);
}

function throwIfStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ThinkTreeError("CANCELLED", "the work was stopped");
}
