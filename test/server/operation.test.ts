/** What operators rely on: turns, disconnects, the end of the server, keys, the log. */
import { once } from "node:events";
import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ThinkTreeError } from "../../lib/errors.js";
import type { ServerOptions } from "../../lib/server/settings.js";
import { openaiFaults } from "../support/openai-schema.js";
import { chat, closeServersAfterEach, serverOf } from "../support/scripted-server.js";
import { answerOf, ScriptedEngine } from "../support/search-engine.js";

closeServersAfterEach();

describe("many requests", () => {
  it("wait for their turn, and are refused with a time to try again when the queue is full or too slow", async () => {
    const engine = new ScriptedEngine();
    const server = await serverOf(engine, { searches: 1, queue: 1, queueMs: 150 });
    const first = server.inject(chat());
    await engine.until(1);
    const others = await Promise.all([server.inject(chat()), server.inject(chat())]);
    const [full, late] = others.sort((a, b) => a.statusCode - b.statusCode);
    expect([full.statusCode, Number(full.headers["retry-after"]) >= 1]).toEqual([429, true]);
    expect(full.json()).toMatchObject({ error: { code: "queue_full", type: "rate_limit_error" } });
    expect([late.statusCode, Number(late.headers["retry-after"]) >= 1]).toEqual([503, true]);
    expect(late.json()).toMatchObject({ error: { code: "overloaded", type: "server_error" } });
    const fourth = server.inject(chat());
    engine.searches[0]!.end();
    expect((await first).statusCode).toBe(200);
    (await engine.until(1))[0]!.end();
    expect((await fourth).statusCode).toBe(200);
  });

  it("a client that goes ends its search at once, and frees its place", async () => {
    const engine = new ScriptedEngine();
    const server = await serverOf(engine, { searches: 1 });
    const url = `${await server.listen("127.0.0.1", 0)}/v1/chat/completions`;
    for (const stream of [false, true]) {
      const leaving = new AbortController();
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify(chat({ stream }).payload);
      const gone = fetch(url, { method: "POST", headers, body, signal: leaving.signal });
      const [search] = await engine.until(1);
      const ended = once(search!.options.signal!, "abort");
      leaving.abort();
      await expect(gone).rejects.toThrow();
      await ended;
      expect(engine.searches).toEqual([]);
    }
    const next = server.inject(chat());
    (await engine.until(1))[0]!.end();
    expect((await next).statusCode).toBe(200);
    const metrics = (await server.inject({ url: "/metrics" })).payload;
    expect(metrics).toMatch(/^thinktree_searches_total\{outcome="cancelled"\} 2$/m);
    expect(metrics).toMatch(/^thinktree_searches_running 0$/m);
  });

  it("a client that does not take its answer loses its connection", async () => {
    const server = await serverOf(new ScriptedEngine(answerOf(["x".repeat(1 << 22)])), { clientMs: 200 });
    const { port } = new URL(await server.listen("127.0.0.1", 0));
    const socket = connect(Number(port), "127.0.0.1");
    const body = JSON.stringify(chat().payload);
    const head = `content-type: application/json\r\ncontent-length: ${body.length}`;
    socket.on("error", () => undefined);
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n${head}\r\n\r\n${body}`);
    socket.pause();
    for (let open = 1; open > 0;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      open = Number(/^thinktree_http_connections (\d+)$/m.exec((await server.inject({ url: "/metrics" })).payload)![1]);
    }
    socket.destroy();
  });
});

describe("the end of the server", () => {
  it("refuses what is new, lets searches end within the time for it, then takes the best they have", async () => {
    const engine = new ScriptedEngine();
    const server = await serverOf(engine, { drainMs: 300, searches: 2 });
    const [first, second] = [server.inject(chat()), server.inject(chat())];
    const [search] = await engine.until(2);
    const third = server.inject(chat()); // in the queue
    expect((await server.inject({ url: "/ready" })).json()).toEqual({ status: "ready" });
    await new Promise(setImmediate);
    const closed = server.close();
    expect((await third).statusCode).toBe(503);
    const [ready, health, fourth] = await Promise.all([
      server.inject({ url: "/ready" }),
      server.inject({ url: "/health" }),
      server.inject(chat()),
    ]);
    expect([ready.statusCode, health.statusCode, fourth.statusCode]).toEqual([503, 200, 503]);
    expect(fourth.headers["retry-after"]).toBeDefined();
    search!.end();
    expect((await first).json()).toMatchObject({ thinktree: { finishReason: "complete" } });
    expect((await second).json()).toMatchObject({ thinktree: { finishReason: "stopped" } });
    await closed;
  });

  it("does not wait for connections that a browser has opened and never used", async () => {
    const server = await serverOf();
    const { port } = new URL(await server.listen("127.0.0.1", 0));
    const socket = connect(Number(port), "127.0.0.1");
    await once(socket, "connect");
    const gone = once(socket, "close");
    await server.close();
    await gone;
  });

  it("is not ready any more when the engine is lost", async () => {
    const engine = new ScriptedEngine();
    const server = await serverOf(engine);
    const response = server.inject(chat());
    (await engine.until(1))[0]!.fail(new ThinkTreeError("ENGINE_CLOSED", "the engine was closed"));
    await response;
    expect((await server.inject({ url: "/ready" })).statusCode).toBe(503);
  });
});

describe("who may ask", () => {
  const key = "0123456789abcdef";

  it("with keys: whoever has one; health is everyone's", async () => {
    const server = await serverOf(undefined, { apiKeys: ["fedcba9876543210", key] });
    const status = async (authorization?: string) =>
      (await server.inject(chat({}, authorization === undefined ? {} : { authorization }))).statusCode;
    expect(await status(`Bearer ${key}`)).toBe(200);
    expect(await status(`bearer ${key}`)).toBe(200);
    for (const wrong of [undefined, "", key, "Bearer ", `Bearer ${key}0`, `Basic ${key}`])
      expect(await status(wrong)).toBe(401);
    const refused = await server.inject({ url: "/v1/models" });
    expect(refused.headers["www-authenticate"]).toBe("Bearer");
    expect(openaiFaults("ErrorResponse", refused.json())).toEqual([]);
    expect((await server.inject({ url: "/metrics" })).statusCode).toBe(401);
    expect((await server.inject({ url: "/health" })).statusCode).toBe(200);
    expect((await server.inject({ url: "/ready" })).statusCode).toBe(200);
  });

  it("keys must be hard to guess", async () => {
    await expect(serverOf(undefined, { apiKeys: ["short"] })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  it("no web page, unless it is named", async () => {
    const origin = "https://example.org";
    const preflight = {
      method: "OPTIONS",
      url: "/v1/chat/completions",
      headers: { origin, "access-control-request-method": "POST" },
    } as const;
    const closed = await (await serverOf()).inject(preflight);
    expect(closed.headers["access-control-allow-origin"]).toBeUndefined();
    const server = await serverOf(undefined, { corsOrigins: [origin], apiKeys: [key] });
    expect((await server.inject(preflight)).headers["access-control-allow-origin"]).toBe(origin);
    const other = { ...preflight, headers: { ...preflight.headers, origin: "https://example.com" } };
    expect((await server.inject(other)).headers["access-control-allow-origin"]).not.toBe("https://example.com");
  });

  it("on the loopback: whoever calls it by a name of this machine", async () => {
    const server = await serverOf(undefined, { localNamesOnly: true });
    const status = async (host: string) => (await server.inject(chat({}, { host }))).statusCode;
    expect(await status("localhost:8080")).toBe(200);
    expect(await status("127.0.0.1")).toBe(200);
    expect(await status("[::1]:80")).toBe(200);
    expect(await status("evil.example:8080")).toBe(403);
  });
});

describe("the log", () => {
  async function logged(options: ServerOptions) {
    const log = new PassThrough();
    const server = await serverOf(undefined, options, log);
    await server.inject(chat({ messages: [{ role: "user", content: "private words" }] }));
    return String(log.read());
  }

  it("has a line of JSON for each search and request, without what was said", async () => {
    const lines = await logged({});
    expect(lines).not.toMatch(/private words|24-5/);
    const [search, request] = lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(search).toMatchObject({
      msg: "search",
      model: "thinktree-beam-16",
      generatedTokens: 40,
      finishReason: "complete",
    });
    expect(request).toMatchObject({
      msg: "request",
      route: "/v1/chat/completions",
      status: 200,
      reqId: search!["reqId"],
    });
  });

  it("has that too, if asked", async () => {
    expect(await logged({ logPrompts: true })).toMatch(/private words.*24-5/);
  });
});
