/**
 * The Electron example: against Electron's own types, against a stand-in of Electron, and in Electron where that is installed.
 */
import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";

import { compileExample, copyExample, installStandIn } from "../support/electron/example.js";
import { embeddedModels } from "../support/models.js";

const run = promisify(execFile);

describe("with Electron's types", () => {
  /** What the library and the example rely on, where the example itself does not say it. */
  const assertions = `
    import { utilityProcess } from "electron";
    import type { UtilityProcesses } from "../../dist/engine/isolation/transport.js";
    export const utility: UtilityProcesses = utilityProcess;
    process.parentPort.on("message", ({ data }: { data: unknown }) => process.parentPort.postMessage(data));
    // @ts-expect-error: they are Electron's types, and not any
    utilityProcess.spoon();
  `;

  test("the example and the library's use of utility processes compile", { timeout: 300_000 }, async (context) => {
    const cwd = copyExample("electron-types");
    const npm = (...args: string[]) => run("npm", args, { cwd });
    try {
      await npm("install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--fetch-retries=0");
    } catch (error) {
      const { stderr } = error as { stderr: string };
      const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network/.exec(stderr);
      return offline ? context.skip(`Electron's types cannot be fetched: ${offline[0]}`) : expect.unreachable(stderr);
    }
    writeFileSync(join(cwd, "assertions.ts"), assertions);
    const { stdout } = await npm("run", "build").catch((error: unknown) => error as { stdout: string });
    expect(stdout).not.toMatch(/error TS/);
    expect(existsSync(join(cwd, "dist", "preload.cjs"))).toBe(true);
  });
});

const missing = embeddedModels() === undefined || process.env["THINKTREE_TEST_MODELS"] !== undefined;

describe.skipIf(missing)("with a stand-in of Electron (needs models/)", () => {
  let folder: string;
  beforeAll(() => {
    folder = compileExample("electron-stand-in");
    installStandIn(folder);
  });

  /** The JSON that `script` prints. */
  async function runInFolder(script: string, env: Record<string, string>): Promise<unknown> {
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], {
      cwd: folder,
      // The library asks for Electron from where it is itself.
      env: { ...process.env, NODE_PATH: join(folder, "node_modules"), ...env },
      timeout: 60_000,
    });
    return JSON.parse(stdout);
  }

  /** What `program` prints, after the example has opened its window and its preload script has run. */
  async function inExample(program: string, env: Record<string, string> = {}): Promise<unknown> {
    const script = `
      import electron from "electron";
      import { createRequire } from "node:module";
      await import("./dist/main.js");
      await new Promise(setImmediate);
      createRequire(process.cwd() + "/")("./dist/preload.cjs");
      const { app, BrowserWindow, ipcRenderer, session, utilityProcess } = electron;
      const [window] = BrowserWindow.all;
      const question = "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?";
      const print = (value) => console.log(JSON.stringify(value));
      ${program}
    `;
    return runInFolder(script, env);
  }

  test("a question goes through the preload script to a utility process, and its answer back, with live progress", async () => {
    const seen = await inExample(`
      const told = [];
      const stop = thinktree.onProgress((progress) => told.push(progress));
      const outcome = await thinktree.ask(question);
      stop();
      const before = told.length;
      const again = await thinktree.ask(question);
      const addon = Object.keys(createRequire(process.cwd() + "/").cache).filter((file) => file.endsWith(".node"));
      print({
        ...{ api: Object.keys(thinktree), outcome, last: told.at(-1), again: again.kind, addon },
        ...{ unheard: told.length - before, utilities: utilityProcess.children.length },
      });
      app.quit();
    `);
    expect(seen).toMatchObject({
      api: ["ask", "cancel", "onProgress"],
      outcome: { kind: "answer", answer: "19", early: false, cost: { tokens: expect.any(Number) as number } },
      again: "answer",
      ...{ addon: [], unheard: 0, utilities: 1 },
    });
    const { outcome, last } = seen as Record<"outcome" | "last", { steps: unknown[]; answer: string; votes: number[] }>;
    const first = { text: expect.stringMatching(/^(4\*6|6\*4)=24$/) as string, score: expect.any(Number) as number };
    expect(outcome.steps[0]).toEqual(first);
    expect(outcome.votes[0]).toBeGreaterThan(0);
    expect(last.steps[0]).toEqual(first);
    expect(last.answer).toBe("19");
  });

  test("a question may be cancelled, is superseded by the next, and is told in words what is wrong with it", async () => {
    const outcomes = await inExample(`
      const cancelled = thinktree.ask(question); // while the models load
      thinktree.cancel();
      const first = await cancelled;
      const superseded = thinktree.ask(question);
      const last = thinktree.ask(question);
      const empty = async () => (await last, await thinktree.ask(" "));
      print([first, await superseded, (await last).answer, await empty(), await thinktree.ask("why ".repeat(5000))]);
      app.quit();
    `);
    const problem = (part: RegExp) => ({ kind: "problem", message: expect.stringMatching(part) as string });
    const cancelled = { kind: "cancelled" };
    expect(outcomes).toEqual([cancelled, cancelled, "19", problem(/^Type a question/), problem(/too long .* shorten/)]);
  });

  test("a cancelled search gives everything back", async () => {
    const held = await inExample(`
      const { Engine } = await import("thinktree");
      const { Questions } = await import("./dist/questions.js");
      const fake = { decodeMicroseconds: 5_000 };
      const engine = await Engine.load({ generator: { fake }, verifier: { fake } });
      const questions = new Questions(async () => engine);
      const asked = questions.ask("1+2?", () => undefined);
      while (engine.stats().decodes < 3) await new Promise(setImmediate);
      questions.cancel();
      const { kind } = await asked;
      while (engine.stats().searches > 0) await new Promise(setImmediate);
      const { kvCells, verifierKvCells, leases, branches } = engine.stats();
      print({ kind, kvCells, verifierKvCells, leases, branches });
      await questions.close();
      app.quit();
    `);
    expect(held).toEqual({ kind: "cancelled", ...{ kvCells: 0, verifierKvCells: 0, leases: 0, branches: 0 } });
  });

  test("neither a cancelled search's late news nor models that still load are in the way", async () => {
    const seen = await inExample(`
      const { Questions } = await import("./dist/questions.js");
      let told = 0;
      const late = new Questions(async () => ({
        solve: async (question, { signal, onProgress }) => {
          const news = { round: 1, live: 1, finished: 0, bestScore: null, ledger: {} };
          signal.addEventListener("abort", () => onProgress(news));
          onProgress(news);
          return new Promise(() => undefined);
        },
      }));
      const asked = late.ask("1+2?", () => (told++, late.cancel()));
      const { kind } = await asked;
      const loading = new Questions(() => new Promise(() => undefined));
      loading.warmUp();
      await loading.close();
      print({ kind, told });
      app.quit();
    `);
    expect(seen).toEqual({ kind: "cancelled", told: 1 });
  });

  test("an engine that was lost, or could not be loaded, is loaded again for the next question", async () => {
    const seen = await inExample(`
      const { Engine } = await import("thinktree");
      const { Questions } = await import("./dist/questions.js");
      let loads = 0;
      const questions = new Questions(async () => {
        if (++loads === 1) return Engine.load({ generator: "missing.gguf" });
        const engine = await Engine.load({ generator: { fake: {} }, verifier: { fake: {} } });
        if (loads === 2) await engine.close(); // as when its process could not be kept alive
        return engine;
      });
      const outcomes = [];
      for (let i = 0; i < 3; i++) outcomes.push(await questions.ask("1+2?", () => undefined));
      print({ loads, outcomes: outcomes.map(({ kind, message = "" }) => kind + " " + message) });
      await questions.close();
      app.quit();
    `);
    expect(seen).toEqual({
      loads: 3,
      outcomes: [
        expect.stringMatching(/^problem The models could not be loaded: .*missing\.gguf/) as string,
        expect.stringMatching(/^problem The engine has stopped and is started again: ask again/) as string,
        "answer ",
      ],
    });
  });

  test("the window is shut in, and only its own page may ask", async () => {
    const seen = await inExample(`
      const { preload, ...preferences } = window.options.webPreferences;
      let permitted;
      session.asks(window.webContents, "media", (answer) => (permitted = answer));
      const stranger = { sender: window.webContents, senderFrame: {} };
      const refused = await ipcRenderer.invoke("ask", question, stranger).catch(({ message }) => message);
      const noText = await ipcRenderer.invoke("ask", 7).catch(({ message }) => message);
      print({
        ...{ preferences, permitted, refused, noText, preload: preload.endsWith("dist/preload.cjs") },
        ...{ left: window.webContents.navigate("https://example.org"), opened: window.webContents.opens({}) },
        page: window.file.endsWith("page/index.html"),
      });
      app.quit();
    `);
    expect(seen).toEqual({
      preferences: { contextIsolation: true, sandbox: true, nodeIntegration: false },
      ...{ permitted: false, left: false, opened: { action: "deny" }, preload: true, page: true },
      ...{ refused: "a question is text from the window", noText: "a question is text from the window" },
    });
  });

  test("the models load before a question is asked, and a window that was closed meanwhile is told nothing", async () => {
    const seen = await inExample(`
      while (utilityProcess.children.length === 0) await new Promise(setImmediate);
      const { webContents } = window;
      webContents.isDestroyed = () => true;
      webContents.send = () => { throw new Error("Object has been destroyed"); };
      print((await thinktree.ask(question)).kind);
      app.quit();
    `);
    expect(seen).toBe("answer");
  });

  test("the engine's process ends before the application does, also in the middle of a search", async () => {
    const seen = await inExample(`
      await thinktree.ask(question);
      const [engine] = utilityProcess.children;
      process.on("exit", () => print({ ended: engine.signalCode ?? engine.exitCode, asked }));
      let asked;
      thinktree.ask(question).then(({ kind }) => (asked = kind));
      app.emit("window-all-closed");
    `);
    expect(seen).toEqual({ ended: "SIGKILL", asked: "cancelled" });
  });

  test("a second instance shows the first one's window and ends without one of its own", async () => {
    const second = `
      import { BrowserWindow } from "electron";
      process.on("exit", () => console.log(BrowserWindow.all.length));
      await import("./dist/main.js");
    `;
    expect(await runInFolder(second, { STAND_IN_SECOND: "1" })).toBe(0);
    const shown = await inExample(`
      let focused = 0;
      Object.assign(window, { isMinimized: () => true, restore: () => focused++, focus: () => focused++ });
      app.emit("second-instance");
      print(focused);
      app.quit();
    `);
    expect(shown).toBe(2);
  });

  test("a packaged application's models are beside the archive", async () => {
    const resources = join(folder, "resources");
    mkdirSync(resources, { recursive: true });
    const seen = await inExample(`print(await thinktree.ask(question)); app.quit();`, { STAND_IN_RESOURCES: resources });
    const message = expect.stringContaining(join(resources, "models", "tiny-generator.gguf")) as string;
    expect(seen).toEqual({ kind: "problem", message });
  });
});

const electron = findElectron();
const reason = electron === undefined ? " (no Electron: put `electron` on the PATH, or its file into THINKTREE_TEST_ELECTRON)" : "";

describe.skipIf(electron === undefined || missing)(`in Electron itself${reason}`, () => {
  test("a question asked in the window is answered by a utility process", async () => {
    const folder = compileExample("electron-e2e");
    const driver = join("test", "support", "electron", "drive.mjs");
    // In a container there is neither a user namespace for Chromium's own sandbox nor a GPU.
    const { stdout } = await run(electron!, ["--no-sandbox", "--disable-gpu", driver, folder], { timeout: 90_000 });
    expect(JSON.parse(/^SEEN (.*)$/m.exec(stdout)?.[1] ?? "null")).toMatchObject({
      ...{ answer: "19", problem: "", node: ["undefined", "undefined"], utilities: 1 },
      rounds: expect.any(Number) as number,
    });
  });
});

function findElectron(): string | undefined {
  const named = process.env["THINKTREE_TEST_ELECTRON"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const places = [
    ...(named === undefined ? [] : [named]),
    ...folders.map((folder) => join(folder, "electron")),
    join("examples", "electron", "node_modules", "electron", "dist", "electron"),
  ];
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
