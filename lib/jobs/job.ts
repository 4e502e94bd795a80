/**
 * A unit on the queue.
 *
 * Owns: what a job holds, the queue's settings that both ends must agree on.
 * Must not know: either end.
 */
import type { NodeIdentity } from "./node-identity.js";
import type { RedisOptions } from "./redis.js";
import type { Task } from "./task.js";

export interface QueueOptions {
  readonly redis: RedisOptions;
  /** One run's at a time. Default "thinktree". */
  readonly queue?: string | undefined;
}

export interface JobData {
  /** What the doing node must be alike in. */
  readonly node: Partial<NodeIdentity>;
  /** What it fills of an engine's batches. */
  readonly branches: number;
  readonly task: Task;
}

/** Before the names of all keys in Redis. */
export const prefix = "thinktree";
export const usualQueue = "thinktree";

/** A unit is taken over so often; if its worker vanishes again, it may be the unit that ends them, and it is given up. */
export const mostTakeovers = 5;
