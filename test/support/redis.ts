/**
 * A real Redis for a test, on a port of its own.
 *
 * Owns: finding the server, starting it empty, ending it. Must not know: what is kept there.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { freePort } from "../../bench/support/free-port.js";

const command = "redis-server";
const missing = spawnSync(command, ["--version"]).error !== undefined;

/** For describe: where there is no Redis, the test's name says so; on CI it fails instead. */
export const unlessRedis = {
  skip: missing && process.env["CI"] === undefined,
  reason: missing ? ` (no ${command} on the PATH)` : "",
};

export class RedisServer implements AsyncDisposable {
  private constructor(
    private readonly port: number,
    private process: ChildProcess,
  ) {}

  static async start(): Promise<RedisServer> {
    const port = await freePort();
    return new RedisServer(port, await listening(port));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** What it held is gone. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGKILL");
    await once(this.process, "exit");
  }

  /** At the same place, empty. */
  async restart(): Promise<void> {
    await this.kill();
    this.process = await listening(this.port);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

async function listening(port: number): Promise<ChildProcess> {
  const flags = ["--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no", "--dir", "/tmp"];
  const server = spawn(command, flags, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(server.stdout)) if (line.includes("Ready to accept")) break;
  server.stdout.resume();
  return server;
}
