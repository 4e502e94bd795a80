/**
 * Servers over scripted engines, asked without a network.
 *
 * Owns: starting and closing them, usual requests. Must not know: what is tested.
 */
import type { PassThrough } from "node:stream";
import type { InjectOptions } from "fastify";
import { afterEach } from "vitest";
import { Server } from "../../lib/server/app.js";
import type { ServerOptions } from "../../lib/server/settings.js";
import { answerOf, ScriptedEngine } from "./search-engine.js";

const servers: Server[] = [];

/** To be called once a file. */
export function closeServersAfterEach(): void {
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
}

export async function serverOf(
  engine = new ScriptedEngine(answerOf()),
  options: ServerOptions = {},
  log?: PassThrough,
): Promise<Server> {
  const parts = { engine, version: "1", options: { drainMs: 1, ...options } };
  const server = await Server.create({ ...parts, ...(log && { log: { level: "info", stream: log } }) });
  servers.push(server);
  return server;
}

const post = (url: string, payload: object, headers: Record<string, string> = {}) =>
  ({ method: "POST", url, payload, headers }) as const satisfies InjectOptions;

export function chat(body: object = {}, headers: Record<string, string> = {}) {
  const messages = [{ role: "user", content: "2+2?" }];
  return post("/v1/chat/completions", { model: "thinktree-beam-16", messages, ...body }, headers);
}

export function text(body: object = {}) {
  return post("/v1/completions", { model: "thinktree", prompt: "2+2?", ...body });
}
