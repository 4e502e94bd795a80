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

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/** Path of a Chromium, or undefined. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { request?: { url: string }; exceptionDetails?: unknown; entry?: unknown; args?: unknown };
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

  /** The value of an expression, which must be JSON. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result } = await this.#send<{ result: { value: T } }>("Runtime.evaluate", {
      expression,
      returnByValue: true,
    });
    return result.value;
  }

  async press(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) await this.#send("Input.dispatchKeyEvent", { type, key });
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
