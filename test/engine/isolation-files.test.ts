/** What reaches into another process besides searches: reading a model's file, and Electron's kind of child. */
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";

import { afterAll, expect, test, vi } from "vitest";

import type { FromChild, ToChild } from "../../lib/engine/isolation/protocol.js";
import { forkUtility, type Ending } from "../../lib/engine/isolation/transport.js";
import { Engine, inspectModel } from "../../lib/index.js";
import { engineProcesses } from "../support/isolated-processes.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-isolation-"));
afterAll(() => rmSync(folder, { recursive: true }));
const model = fileURLToPath(new URL("../../models/tiny-generator.gguf", import.meta.url));

test("a file is read in a process of its own as in this one", async () => {
  const found = await inspectModel(model, { isolation: "process" });
  const expected = await inspectModel(model);
  expect(found).toEqual({ ...expected, devices: found.devices }); // which tell the memory that is free by now
  await vi.waitUntil(() => engineProcesses().length === 0, { timeout: 10_000 });
});

test("a file that is none is refused as ever, and one over which the process dies with ENGINE_CRASHED", async () => {
  const path = join(folder, "none.gguf");
  writeFileSync(path, "no model");
  const isolation = "process";
  await expect(inspectModel(path, { isolation })).rejects.toMatchObject({ code: "MODEL_LOAD_FAILED" });
  const inspecting = inspectModel(model, { isolation });
  for (const pid of engineProcesses()) process.kill(pid, "SIGKILL"); // it is started, and has not come to read
  await expect(inspecting).rejects.toMatchObject({ code: "ENGINE_CRASHED" });
});

test("an isolated engine's recipes are read there, too", async () => {
  await using engine = await Engine.load({ generator: model, verifier: null, isolation: "process" });
  await using plain = await Engine.load({ generator: model, verifier: null });
  expect(engine.models).toEqual(plain.models);
});

test("Electron's utility process is spoken to in its own way, and killed though it hangs", async () => {
  const hangs = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"]);
  const sent: unknown[] = [];
  const utility = Object.assign(new EventEmitter(), {
    ...{ pid: hangs.pid, stdout: new PassThrough(), stderr: new PassThrough() },
    ...{ postMessage: (message: unknown) => sent.push(message), kill: () => hangs.kill() },
  });
  hangs.on("exit", (code) => utility.emit("exit", code ?? 9));
  const heard: FromChild[] = [];
  const ended = new Promise<Ending>((resolve) => {
    const child = forkUtility({ fork: () => utility }, { message: (message) => heard.push(message), ended: resolve });
    const load: ToChild = { kind: "load", options: {}, beatMs: 1 };
    child.send(load);
    expect(sent).toEqual([load]);
    utility.emit("message", { kind: "returned", value: 1 });
    utility.stderr.write("last words\n");
    setImmediate(() => child.kill());
  });
  expect(await ended).toEqual({ how: "exit code 9", lastWords: "last words\n" });
  expect(heard).toEqual([{ kind: "returned", value: 1 }]);
  if (hangs.exitCode === null && hangs.signalCode === null) await once(hangs, "exit");
});
