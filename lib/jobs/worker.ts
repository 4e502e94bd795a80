/**
 * The end of the queue that does units.
 *
 * Owns: how many are under way, holding on to them, giving back what is not to be done here, the end of it all.
 * Must not know: what units are, whose run it is.
 *
 * A job is held by a lock that is renewed while it is done. Whoever stops renewing, since it was killed or cut off, loses the
 * job to another worker; if it comes back after all, its value comes too late and does no harm.
 */
import { randomUUID } from "node:crypto";
import { Worker, type Job } from "bullmq";

import { ThinkTreeError } from "../errors.js";
import type { Grader } from "../grading/grader.js";
import type { Engine } from "../scheduler/engine.js";
import { mostTakeovers, prefix, usualQueue, type JobData, type QueueOptions } from "./job.js";
import { differences, type NodeIdentity } from "./node-identity.js";
import { connect, queueFailure, type RedisConnection } from "./redis.js";
import { perform, type Outcome } from "./task.js";

export interface WorkerOptions extends QueueOptions {
  readonly engine: Engine;
  readonly grader: Grader;
  readonly node: NodeIdentity;
  /** Of this worker, for people. */
  readonly name: string;
  /** Another unit is taken while fewer branches are under way. Default 64. */
  readonly branches?: number | undefined;
  /** A worker that is not heard of for so many milliseconds loses its units to others. Default 30,000. */
  readonly takeOverMs?: number | undefined;
  /** Ends it: units under way are done, no other is taken. */
  readonly stop: AbortSignal;
  readonly onListening?: (() => void) | undefined;
}

interface Held {
  readonly token: string;
  /** Fires when the job is another's, or nobody wants it any more. */
  readonly taken: AbortController;
}

/** Seconds that one look at an empty queue takes: what a worker without work needs to end. */
const lookSeconds = 1;

/**
 * Does units until it is stopped; resolves to how many it has done.
 * @throws {ThinkTreeError} INVALID_OPTION: the queue's run wants other models, or another version; QUEUE_FAILED: Redis is gone
 */
export async function workOff(options: WorkerOptions): Promise<number> {
  await using connection = await connect(options.redis);
  const worker = new UnitWorker(connection, options);
  try {
    return await worker.run();
  } catch (error) {
    throw queueFailure(connection, error);
  }
}

class UnitWorker {
  private readonly jobs: Worker<JobData, Outcome>;
  private readonly lockMs: number;
  private readonly held = new Map<string, Held>();
  private readonly running = new Set<Promise<void>>();
  private branches = 0;
  private done = 0;

  constructor(
    private readonly connection: RedisConnection,
    private readonly options: WorkerOptions,
  ) {
    const { queue = usualQueue, name, takeOverMs = 30_000 } = options;
    this.lockMs = takeOverMs;
    this.jobs = new Worker<JobData, Outcome>(queue, null, {
      ...{ connection: connection.redis, prefix, name },
      ...{ lockDuration: takeOverMs, stalledInterval: takeOverMs / 2, maxStalledCount: mostTakeovers },
      drainDelay: lookSeconds,
    });
    this.jobs.on("error", () => undefined); // told by the command that it fails
  }

  async run(): Promise<number> {
    const { stop, branches = 64, onListening } = this.options;
    const lost = new Promise<undefined>((resolve) => {
      this.connection.lost.addEventListener("abort", () => {
        for (const { taken } of this.held.values()) taken.abort();
        resolve(undefined);
      });
    });
    await this.jobs.waitUntilReady();
    await this.jobs.startStalledCheckTimer();
    const renewal = setInterval(() => void this.renew(), this.lockMs / 3);
    try {
      onListening?.();
      while (!stop.aborted) {
        while (this.branches >= branches) await Promise.race(this.running);
        const token = randomUUID();
        const job = await Promise.race([this.jobs.getNextJob(token), lost]);
        this.connection.lost.throwIfAborted();
        if (!job) continue;
        const others = stop.aborted ? undefined : differencesOf(job, this.options.node);
        if (job.deferredFailure !== undefined) await giveUp(job, token);
        else if (others?.length === 0) this.begin(job, token);
        else await job.moveToWait(token);
        if (others && others.length > 0) throw unlike(others);
      }
      await Promise.all(this.running);
      return this.done;
    } finally {
      await Promise.all(this.running);
      clearInterval(renewal);
      await this.jobs.close(true);
    }
  }

  private begin(job: Job<JobData, Outcome>, token: string): void {
    const { branches } = job.data;
    const taken = new AbortController();
    this.held.set(job.id!, { token, taken });
    this.branches += branches;
    const doing = this.do(job, token, taken.signal).finally(() => {
      this.held.delete(job.id!);
      this.branches -= branches;
      this.running.delete(doing);
    });
    this.running.add(doing);
  }

  private async do(job: Job<JobData, Outcome>, token: string, taken: AbortSignal): Promise<void> {
    const { engine, grader } = this.options;
    const outcome = await perform(engine, grader, job.data.task, taken);
    if (taken.aborted) return;
    try {
      await job.moveToCompleted(outcome, token, false);
    } catch {
      return; // it was taken over or taken off the queue meanwhile; or Redis is gone, which the next look tells
    }
    this.done++;
  }

  private async renew(): Promise<void> {
    const held = [...this.held];
    if (held.length === 0) return;
    const tokens = held.map(([, { token }]) => token);
    const ids = held.map(([id]) => id);
    const refused = await this.jobs.extendJobLocks(ids, tokens, this.lockMs).catch(() => []);
    for (const id of refused) this.held.get(id)?.taken.abort();
  }
}

/** The queue has marked it: too many workers have vanished while they did it. */
async function giveUp(job: Job<JobData, Outcome>, token: string): Promise<void> {
  await job.moveToFailed(new Error(job.deferredFailure), token, false);
}

/** All there is, of a job that is none of ours. */
function differencesOf({ data }: Job<JobData>, own: NodeIdentity): string[] {
  return typeof data?.node === "object" ? differences(data.node, own) : Object.keys(own);
}

function unlike(others: readonly string[]): ThinkTreeError {
  const what = others.map((name) => name.replace("Recipe", "'s recipe")).join(", ");
  const mend = "start the worker with the run's own models and flags, or on another queue";
  return new ThinkTreeError("INVALID_OPTION", `the queue's run wants another ${what}: ${mend}`);
}
