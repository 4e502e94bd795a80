/**
 * Workers on the fake backend, as processes of their own, for tests that kill some.
 *
 * Owns: what all of them are alike in, starting and ending them, the moment to kill one. Must not know: what is done.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { setTimeout as after } from "node:timers/promises";

import type { Queue } from "bullmq";

export const fake = { decodeMicroseconds: 300 };

export const grader = {
  name: "same",
  answerOf: (text: string) => String(text.length % 3),
  grade: async (answer: string | null, reference: string) => answer === reference,
};

const dist = (file: string) => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

/** What `thinktree worker` does. */
const program = (url: string, queue: string, name: string) => `
  import { Engine } from ${dist("index.js")};
  import { identityOf } from ${dist("jobs/node-identity.js")};
  import { workOff } from ${dist("jobs/worker.js")};
  const stop = new AbortController();
  process.on("SIGTERM", () => stop.abort());
  const fake = ${JSON.stringify(fake)};
  const engine = await Engine.load({ generator: { fake }, verifier: { fake } });
  const grader = { name: "same", answerOf: ${String(grader.answerOf)}, grade: ${String(grader.grade)} };
  await workOff({
    redis: { url: "${url}" }, queue: "${queue}", name: "${name}", takeOverMs: 1000, branches: 16, stop: stop.signal,
    engine, grader, node: identityOf(engine, grader, "test"),
  });
  await engine.close();
`;

export class WorkerProcesses {
  private readonly children = new Set<ChildProcess>();

  constructor(private readonly url: string) {}

  start(queue: string, name: string): ChildProcess {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program(this.url, queue, name)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    this.children.add(child);
    child.on("exit", () => this.children.delete(child));
    return child;
  }

  /** Ends those that a test has left. */
  kill(): void {
    for (const child of this.children) child.kill("SIGKILL");
  }
}

/** Kills the worker of this name while it has something under way. False: `ended` came true before it had. */
export async function killAtWork(child: ChildProcess, name: string, queue: Queue, ended: () => boolean) {
  while (!ended()) {
    // Held still, it cannot end what it has under way before it is killed.
    child.kill("SIGSTOP");
    const held = (await queue.getActive()).some((job) => job?.processedBy === name);
    child.kill(held ? "SIGKILL" : "SIGCONT");
    if (held) return true;
    await after(20);
  }
  return false;
}
