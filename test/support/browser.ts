/**
 * A page in a headless Chromium, spoken to through a pipe.
 *
 * Owns: finding the browser, its protocol, what the page asked for and complained of. Must not know: what the page is.
 */
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/** Path of a Chromium, or undefined. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { request?: { url: string } };
  readonly result?: unknown;
  readonly error?: { message: string };
}

export class Page implements AsyncDisposable {
  /** Addresses that the page asked for, its own first. */
  readonly requests: string[] = [];
  /** Exceptions, console messages, and what the browser logged: refused scripts, failed loads. */
  readonly complaints: string[] = [];
  readonly #profile = mkdtempSync(join(tmpdir(), "thinktree-chromium-"));
  readonly #browser;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #loaded: () => void = () => undefined;
  #session: string | undefined;
  #id = 0;

  private constructor(chromium: string) {
    const options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"];
    this.#browser = spawn(chromium, [...options, `--user-data-dir=${this.#profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    let buffer = "";
    (this.#browser.stdio[4] as Readable).setEncoding("utf8").on("data", (data: string) => {
      const messages = (buffer + data).split("\0");
      buffer = messages.pop()!;
      for (const message of messages) this.#receive(JSON.parse(message) as Message);
    });
  }

  static async open(chromium: string, url: string): Promise<Page> {
    const page = new Page(chromium);
    const { targetInfos } = await page.#send<{ targetInfos: { targetId: string; type: string }[] }>(
      "Target.getTargets",
    );
    const { targetId } = targetInfos.find(({ type }) => type === "page")!;
    const attached = await page.#send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    page.#session = attached.sessionId;
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.#send(`${domain}.enable`);
    await page.#send("Emulation.setFocusEmulationEnabled", { enabled: true });
    const loaded = new Promise<void>((resolve) => (page.#loaded = resolve));
    await page.#send("Page.navigate", { url });
    await loaded;
    return page;
  }

  /** The value of an expression, which must be JSON; what a promise comes to. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result } = await this.#send<{ result: { value: T } }>("Runtime.evaluate", {
      ...{ expression, returnByValue: true, awaitPromise: true },
    });
    return result.value;
  }

  /** Resolves when the expression is true. @throws Error after half a minute */
  async until(expression: string): Promise<void> {
    for (const late = Date.now() + 30_000; Date.now() < late; await setTimeout(20)) {
      if (await this.evaluate<boolean>(`Boolean(${expression})`)) return;
    }
    throw new Error(`it never came to ${expression}`);
  }

  /** Where the focus is. */
  async press(key: string, { shift = false } = {}): Promise<void> {
    const typed = key === "Enter" ? { text: "\r" } : {};
    const windowsVirtualKeyCode = { Tab: 9, Enter: 13, Escape: 27 }[key];
    const event = { key, code: key, modifiers: shift ? 8 : 0, windowsVirtualKeyCode, ...typed };
    for (const type of ["keyDown", "keyUp"]) await this.#send("Input.dispatchKeyEvent", { type, ...event });
  }

  async type(text: string): Promise<void> {
    await this.#send("Input.insertText", { text });
  }

  /** Of the window, in CSS pixels. */
  async resize(width: number, height: number): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.#send("Emulation.setDeviceMetricsOverride", metrics);
  }

  /** What the reader prefers, such as prefers-color-scheme: dark. */
  async prefer(features: Readonly<Record<string, string>>): Promise<void> {
    const list = Object.entries(features).map(([name, value]) => ({ name, value }));
    await this.#send("Emulation.setEmulatedMedia", { features: list });
  }

  /** What is seen, as PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send<{ data: string }>("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#browser.once("exit", resolve));
    this.#browser.kill();
    await gone;
    // Its children may still write: only the asynchronous one tries again where a folder has been filled meanwhile.
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 20 });
  }

  #receive({ id, method, params, ...rest }: Message): void {
    if (id !== undefined) this.#waiting.get(id)?.(rest);
    if (method === "Page.loadEventFired") this.#loaded();
    if (method === "Network.requestWillBeSent") this.requests.push(params!.request!.url);
    if (["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"].includes(method ?? "")) {
      this.complaints.push(JSON.stringify(params));
    }
  }

  #send<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#id;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result as T);
      });
      (this.#browser.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
