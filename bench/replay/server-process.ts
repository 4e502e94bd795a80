/**
 * llama.cpp's server as a child process, and the requests that a search needs.
 *
 * Owns: its start, its flags, its end with this process, HTTP. Must not know: trees, who asks for what.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { freePort } from "../support/free-port.js";
import { rivalBinary } from "../support/rivals.js";

export interface ServerOptions {
  readonly model: string;
  readonly slots: number;
  /** Of all slots together. */
  readonly cells: number;
  readonly unified: boolean;
  readonly flash: boolean;
  readonly threads: number;
}

export interface Completion {
  readonly tokens: readonly number[];
  readonly id_slot: number;
  readonly timings: { readonly prompt_n: number };
  readonly completion_probabilities?: readonly { readonly top_probs: readonly TokenProbability[] }[];
}

export interface TokenProbability {
  readonly token: string;
  readonly prob: number;
}

const ticksPerSecond = 100; // of Linux's /proc
const memoryFolder = "/dev/shm"; // slots are copied through files: these cost no disk

export class ServerProcess {
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const port = await freePort();
    const folder = mkdtempSync(join(existsSync(memoryFolder) ? memoryFolder : tmpdir(), "thinktree-bench-"));
    const threads = String(options.threads);
    const flags = [
      ...["--model", options.model, "--host", "127.0.0.1", "--port", String(port)],
      ...["--parallel", String(options.slots), "--ctx-size", String(options.cells)],
      options.unified ? "--kv-unified" : "--no-kv-unified",
      ...["--threads", threads, "--threads-batch", threads, "--flash-attn", options.flash ? "on" : "off"],
      ...["--batch-size", "512", "--ubatch-size", "512"],
      ...["--slot-save-path", `${folder}/`, "--cache-ram", "0", "--fit", "off", "--no-ui", "--log-disable"],
    ];
    const child = spawn(rivalBinary("llama-server"), flags, { stdio: "ignore" });
    process.once("exit", () => {
      child.kill("SIGKILL"); // it has nothing to save
      rmSync(folder, { recursive: true });
    });
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
    const server = new ServerProcess(child, `http://127.0.0.1:${port}`);
    while (!(await server.healthy())) {
      if (child.exitCode !== null) throw new Error(`llama-server ended with ${child.exitCode}: ${flags.join(" ")}`);
      await setTimeout(100);
    }
    return server;
  }

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /** As a crash would. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }

  /** One answer for each completion asked for. */
  async complete(body: object): Promise<Completion[]> {
    const answers = (await this.post("/completion", body)) as Completion | Completion[];
    return Array.isArray(answers) ? answers : [answers];
  }

  async save(slot: number): Promise<void> {
    await this.post(`/slots/${slot}?action=save`, { filename: `slot-${slot}` });
  }

  /** What was last saved of another slot. */
  async restore(slot: number, from: number): Promise<void> {
    await this.post(`/slots/${slot}?action=restore`, { filename: `slot-${from}` });
  }

  /** NaN where the system has no /proc. */
  peakRssMb(): number {
    const file = `/proc/${this.child.pid}/status`;
    const [, kilobytes] = existsSync(file) ? (/VmHWM:\s*(\d+)/.exec(readFileSync(file, "utf8")) ?? []) : [];
    return Number(kilobytes) / 1024;
  }

  /** So far; NaN where the system has no /proc. */
  cpuMs(): number {
    const file = `/proc/${this.child.pid}/stat`;
    const [user, system] = existsSync(file) ? readFileSync(file, "utf8").split(" ").slice(13) : [];
    return (Number(user) + Number(system)) * (1000 / ticksPerSecond);
  }

  private async healthy(): Promise<boolean> {
    return fetch(`${this.url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  private async post(path: string, body: object): Promise<unknown> {
    const answer = await fetch(this.url + path, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`llama-server, ${path}: ${await answer.text()}`);
    return answer.json();
  }
}
