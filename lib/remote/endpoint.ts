/**
 * One server: its address, its key, the requests to it.
 *
 * Owns: connections and how many at once, time limits, beginning again after what passes; that the key is told to nobody
 * else. Must not know: what requests mean.
 */
import { setTimeout } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { Pool, type Dispatcher } from "undici";

import { ThinkTreeError } from "../errors.js";
import { breakdown, nonsense, refusal, RemoteFailure } from "./failure.js";

export interface EndpointOptions {
  /** Of the server, with or without the /v1 at its end. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** Requests at once; others wait here. */
  readonly concurrency: number;
  /** The longest silence: before an answer begins, and within it. */
  readonly timeoutMilliseconds: number;
  /** How often in a row a request is begun again after a failure that may pass. */
  readonly retries: number;
}

/** Not found, not allowed, not implemented. */
const missing: ReadonlySet<number> = new Set([404, 405, 501]);
const firstWaitMs = 250;
const longestWaitMs = 10_000;

export class Endpoint {
  /** For messages. */
  readonly address: string;
  private pool: Pool;
  private readonly origin: string;
  private readonly path: string;

  /** Connects when it is first asked. @throws {ThinkTreeError} INVALID_OPTION */
  constructor(private readonly options: EndpointOptions) {
    const { origin, pathname } = addressOf(options.url);
    this.origin = origin;
    this.path = pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
    this.address = origin + this.path;
    this.pool = this.poolOf(options.concurrency);
  }

  /** From now on no more requests than so many are under way at once. Not while there are any. */
  async limit(concurrency: number): Promise<void> {
    const before = this.pool;
    this.pool = this.poolOf(concurrency);
    await before.close();
  }

  /** Null if there is no such thing on it. @throws {ThinkTreeError} REMOTE_FAILED */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    return this.retrying(signal, async () => {
      const { statusCode, body } = await this.request("GET", path, undefined, signal);
      if (!missing.has(statusCode)) return this.json(await this.textOf(statusCode, body));
      await body.dump();
      return null;
    });
  }

  /** One answer. @throws {ThinkTreeError} REMOTE_FAILED, CONTEXT_EXCEEDED */
  async post(path: string, content: object, signal: AbortSignal): Promise<unknown> {
    return this.retrying(signal, async () => {
      const { statusCode, headers, body } = await this.request("POST", path, content, signal);
      return this.json(await this.textOf(statusCode, body, headers));
    });
  }

  /**
   * The data of server-sent events, as they come; who leaves before their end hangs up. Not begun again by itself: see
   * `retrying`. @throws {ThinkTreeError} REMOTE_FAILED, CONTEXT_EXCEEDED
   */
  async *events(path: string, content: object, signal: AbortSignal): AsyncGenerator<unknown, void, undefined> {
    const { statusCode, headers, body } = await this.request("POST", path, content, signal);
    if (statusCode !== 200) await this.textOf(statusCode, body, headers); // throws
    const arrived: string[] = [];
    const parser = createParser({ onEvent: ({ data }) => arrived.push(data) });
    const decoder = new TextDecoder();
    try {
      for await (const bytes of body) {
        parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
        for (const data of arrived.splice(0)) {
          if (data === "[DONE]") return;
          yield this.json(data);
        }
      }
    } catch (error) {
      throw this.failureOf(error, signal);
    }
  }

  /**
   * Does it again after a failure that may pass, a little later each time, unless it has failed too often without any
   * progress. @throws {ThinkTreeError} the failure; AbortError: the signal has fired
   */
  async retrying<T>(signal: AbortSignal, attempt: (progressed: () => void) => Promise<T>): Promise<T> {
    const { retries } = this.options;
    let failures = 0;
    for (;;) {
      try {
        return await attempt(() => (failures = 0));
      } catch (error) {
        if (!(error instanceof RemoteFailure) || error.again === null) throw error;
        failures += 1;
        if (failures > retries) throw this.givenUp(error, failures);
        const usual = Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
        await setTimeout(Math.min(error.again.afterMs ?? usual, 2 ** 31 - 1), undefined, { signal });
      }
    }
  }

  /** Hangs up. Requests under way fail. */
  close(): Promise<void> {
    return this.pool.destroy();
  }

  private poolOf(connections: number): Pool {
    const { timeoutMilliseconds: silence } = this.options;
    const timeouts = { headersTimeout: silence, bodyTimeout: silence, connect: { timeout: silence } };
    return new Pool(this.origin, { connections, ...timeouts });
  }

  private async request(
    method: "GET" | "POST",
    path: string,
    content: object | undefined,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { apiKey } = this.options;
    const headers = {
      ...(content !== undefined && { "content-type": "application/json" }),
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    };
    try {
      return await this.pool.request({
        ...{ method, path: this.path + path, headers, signal },
        body: content === undefined ? null : JSON.stringify(content),
      });
    } catch (error) {
      throw this.failureOf(error, signal);
    }
  }

  private async textOf(
    status: number,
    body: Dispatcher.ResponseData["body"],
    headers: Dispatcher.ResponseData["headers"] = {},
  ): Promise<string> {
    const text = await body.text().catch((error: unknown) => {
      throw breakdown(this.address, error);
    });
    if (status === 200) return text;
    throw refusal(this.address, status, headers, this.withoutKey(text));
  }

  private json(text: string): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw nonsense(this.address, "answered with what is no JSON", error);
    }
  }

  private failureOf(error: unknown, signal: AbortSignal): unknown {
    return signal.aborted ? signal.reason : breakdown(this.address, error);
  }

  private givenUp(failure: RemoteFailure, times: number): ThinkTreeError {
    const line = `${failure.message}: given up after ${times} times; see that it runs, or raise retries`;
    return new ThinkTreeError(failure.code, line, { cause: failure.cause });
  }

  /** Some servers say which key they refuse. */
  private withoutKey(text: string): string {
    const { apiKey } = this.options;
    return apiKey === undefined || apiKey === "" ? text : text.replaceAll(apiKey, "...");
  }
}

function addressOf(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new ThinkTreeError("INVALID_OPTION", `url: ${JSON.stringify(url)} is no address: use http://host:port`);
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new ThinkTreeError("INVALID_OPTION", `url: leave the password out of it, and give a key as apiKey`);
  }
  return parsed;
}
