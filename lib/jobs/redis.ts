/**
 * The Redis that coordinator and workers meet at.
 *
 * Owns: addresses, passwords, how long a broken connection is waited for, and the words when it is given up.
 * Must not know: queues, units.
 */
import { Redis } from "ioredis";

import { ThinkTreeError } from "../errors.js";

export interface RedisOptions {
  /** redis://user:password@host:port/database, or rediss:// for TLS. */
  readonly url: string;
  /** Instead of one in the address. */
  readonly password?: string | undefined;
  /** A connection that breaks is tried anew for so many milliseconds, then given up. Default 30,000. */
  readonly patienceMs?: number | undefined;
}

export interface RedisConnection extends AsyncDisposable {
  readonly redis: Redis;
  /** For people: host and port, no password. */
  readonly place: string;
  /** Fires when a broken connection is given up; the reason is QUEUE_FAILED. */
  readonly lost: AbortSignal;
}

const retryMs = 250;
const usualPatienceMs = 30_000;

/** @throws {ThinkTreeError} INVALID_OPTION: the address; QUEUE_FAILED: nobody there, or the password is wrong */
export async function connect({ url, password, patienceMs = usualPatienceMs }: RedisOptions): Promise<RedisConnection> {
  const place = placeOf(url);
  const lost = new AbortController();
  let connected = false;
  let latest: Error | undefined;
  const redis = new Redis(url, {
    ...(password !== undefined && { password }),
    lazyConnect: true,
    maxRetriesPerRequest: null, // commands wait as long as the connection does
    // One that was never there is told at once; one that breaks may come back.
    retryStrategy: (times) => (connected && times * retryMs < patienceMs ? retryMs : null),
  });
  redis.on("error", (error: Error) => (latest = error));
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    redis.disconnect();
    throw failed(`cannot use Redis at ${place}: ${(latest ?? (error as Error)).message}`, error);
  }
  connected = true;
  const onEnd = () => {
    const why = latest ? ` (${latest.message})` : "";
    const mend = "start the same command when it is back; what is finished is kept";
    lost.abort(failed(`lost Redis at ${place}${why}: ${mend}`, latest));
  };
  redis.once("end", onEnd);
  return {
    ...{ redis, place, lost: lost.signal },
    [Symbol.asyncDispose]: async () => {
      redis.off("end", onEnd);
      redis.disconnect();
    },
  };
}

/** Whatever a command threw, in our words. */
export function queueFailure({ lost, place }: RedisConnection, error: unknown): unknown {
  if (lost.aborted) return lost.reason;
  if (ThinkTreeError.isInstance(error)) return error;
  return failed(`Redis at ${place}: ${error instanceof Error ? error.message : String(error)}`, error);
}

function placeOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed && ["redis:", "rediss:"].includes(parsed.protocol) && parsed.hostname !== "") {
    return `${parsed.hostname}:${parsed.port || 6379}`;
  }
  throw new ThinkTreeError("INVALID_OPTION", "redis: an address such as redis://host:6379 is wanted");
}

function failed(message: string, cause: unknown): ThinkTreeError {
  return new ThinkTreeError("QUEUE_FAILED", message, { cause });
}
