/** The ends an engine may come to: processes that exit and workers that are terminated in mid-decode. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";

import { describe, expect, test } from "vitest";

const run = promisify(execFile);
const dist = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href;

/** A program that has `extending` under way on an engine whose decodes take 20 ms each. */
const busy = `
  import { Engine } from ${JSON.stringify(dist("index.js"))};
  const engine = await Engine.load({
    generator: { fake: { decodeMicroseconds: 20000 } },
    verifier: { fake: { decodeMicroseconds: 20000 } },
  });
  const tree = await engine.openTree({
    prompt: "1+2?", verifierPrompt: "1+2?", seed: 1, steps: { delimiters: ["\\n"] }, finalPrefix: "", stop: [],
    sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
  });
  const extending = tree.extend(tree.fork(tree.root, 16), { steps: Infinity, score: true });
  extending.catch(() => undefined);
`;

const node = (program: string) => run(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });

describe("a process", () => {
  test("may exit in mid-decode", async () => {
    await expect(node(`${busy} setTimeout(() => process.exit(0), 30);`)).resolves.toBeDefined();
  });

  test("may exit while models load", async () => {
    const program = `
      import { Engine } from ${JSON.stringify(dist("index.js"))};
      Engine.load({ generator: { fake: {} } }).catch(() => undefined);
      process.exit(0);
    `;
    await expect(node(program)).resolves.toBeDefined();
  });

  test("dies of an uncaught error as usual", async () => {
    await expect(node(`${busy} throw new Error("on purpose");`)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("on purpose") as string,
    });
  });

  test("is kept alive by work, and not by an idle engine", async () => {
    const { stdout } = await node(`${busy} extending.then(() => console.log("done"));`);
    expect(stdout).toBe("done\n"); // and no close() was called
  });
});

describe("a worker thread", () => {
  const worker = (program: string) => new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  const withMessage = `import { parentPort } from "node:worker_threads"; ${busy} parentPort.postMessage("busy");`;

  test("may be terminated in mid-decode, again and again", async () => {
    for (let i = 0; i < 10; i++) {
      const thread = worker(withMessage);
      await once(thread, "message");
      await new Promise((resolve) => setTimeout(resolve, i * 3));
      expect(await thread.terminate()).toBe(1);
    }
  });

  test("has engines of its own beside the main thread's", async () => {
    const threads = [1, 2, 3].map(() => worker(`${withMessage} await extending; await engine.close();`));
    const codes = await Promise.all(threads.map(async (thread) => (await once(thread, "exit"))[0] as number));
    expect(codes).toEqual([0, 0, 0]);
  });
});
