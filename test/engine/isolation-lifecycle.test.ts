/** The ends that an isolated engine and its parent may come to, seen from outside. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";

import { describe, expect, test, vi } from "vitest";

import { engineProcesses, isAlive } from "../support/isolated-processes.js";

const run = promisify(execFile);
const dist = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href;

/** A program that has `extending` under way on an engine in a process of its own. */
const busy = (fake: object = { decodeMicroseconds: 20_000 }) => `
  import { Engine } from ${JSON.stringify(dist("index.js"))};
  const engine = await Engine.load({ generator: { fake: ${JSON.stringify(fake)} }, isolation: "process" });
  const tree = await engine.openTree({
    prompt: "1+2?", verifierPrompt: "1+2?", seed: 1, steps: { delimiters: ["\\n"] }, finalPrefix: "", stop: [],
    sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
  });
  const extending = tree.extend(tree.fork(tree.root, 4), { steps: Infinity });
  extending.catch(() => undefined);
`;

const node = (program: string) => run(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });

async function started(program: string) {
  const parent = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(parent.stdout, "data");
  const [engine] = engineProcesses(parent.pid);
  expect(engine).toBeDefined();
  return { parent, engine: engine! };
}

describe("the engine's process ends with its parent", () => {
  test.each([
    ["that works", { decodeMicroseconds: 20_000 }],
    ["that hangs", { hangAtDecode: 1 }],
  ])("which is killed beside one %s", async (_, fake) => {
    const { parent, engine } = await started(`${busy(fake)} console.log("busy"); setInterval(() => {}, 1000);`);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    await vi.waitUntil(() => !isAlive(engine), { timeout: 10_000 });
  });

  test("which exits, or dies of an error, as usual", async () => {
    const { parent, engine } = await started(`${busy()} console.log("busy"); setTimeout(() => process.exit(3), 20);`);
    expect((await once(parent, "exit"))[0]).toBe(3);
    await vi.waitUntil(() => !isAlive(engine), { timeout: 10_000 });
    await expect(node(`${busy()} throw new Error("on purpose");`)).rejects.toMatchObject({ code: 1 });
  });
});

test("work keeps the parent alive, an idle engine does not; what a crash prints stays off its terminal", async () => {
  const { stdout, stderr } = await node(`${busy()} extending.then(() => console.log("done"));`);
  expect([stdout, stderr]).toEqual(["done\n", ""]); // and no close() was called
  const dying = `${busy({ crashAtDecode: 2 })} extending.catch(({ code }) => console.log(code));`;
  expect(await node(dying)).toMatchObject({ stdout: "ENGINE_CRASHED\n", stderr: "" });
});

test("signals that reach the whole group are the parent's to answer", async () => {
  const { parent, engine } = await started(
    `${busy()} console.log("busy"); extending.then(() => console.log("done")); process.on("SIGINT", () => {});`,
  );
  process.kill(engine, "SIGINT");
  process.kill(engine, "SIGTERM");
  const [end] = (await once(parent.stdout, "data")) as [Buffer];
  expect(end.toString()).toBe("done\n");
  await once(parent, "exit");
});

test("a worker thread has an engine's process of its own, which ends with it", async () => {
  const program = `import { parentPort } from "node:worker_threads"; ${busy()} parentPort.postMessage("busy");`;
  const url = (source: string) => new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const done = new Worker(url(`${program} await extending; await engine.close();`));
  expect((await once(done, "exit"))[0]).toBe(0);
  for (let i = 0; i < 3; i++) {
    const thread = new Worker(url(program));
    await once(thread, "message");
    await thread.terminate();
  }
  await vi.waitUntil(() => engineProcesses().length === 0, { timeout: 10_000 });
});
