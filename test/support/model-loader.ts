/**
 * A process of its own that loads one model after the other, or one adapter after the other on one model, so that a test
 * outlives what kills it.
 *
 * Owns: that process, and what it reports. Must not know: what is loaded.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const dist = new URL("../../dist/index.js", import.meta.url).href;

/** Inspects, loads and lets write what is named on each line, and tells on a line what came of it. */
const program = `
  import { createInterface } from "node:readline";
  import { Engine, inspectModel } from ${JSON.stringify(dist)};

  const codeOf = (error) => error?.code ?? "no code: " + error;
  async function inspect(path) {
    try {
      const { refusal } = await inspectModel(path);
      return refusal?.code ?? "loads";
    } catch (error) {
      return codeOf(error);
    }
  }
  async function load(path, base, prompt) {
    let engine;
    try {
      const generator = base === undefined ? path : { path: base, adapters: [path] };
      engine = await Engine.load({ generator, verifier: null, kvCells: 512 });
      const tree = await engine.openTree({
        prompt, verifierPrompt: "", seed: 1, maxLength: 6, steps: { delimiters: ["\\n"] }, finalPrefix: "", stop: [],
        sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
      });
      await tree.extend(tree.fork(tree.root, 3), { steps: 2 });
      return { outcome: "wrote" };
    } catch (error) {
      return { outcome: codeOf(error), message: error?.message, loaded: engine !== undefined };
    } finally {
      await engine?.close();
    }
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const { path, base, prompt } = JSON.parse(line);
    const report = { inspection: await inspect(path), ...(await load(path, base, prompt)) };
    console.log(JSON.stringify({ ...report, residentMib: process.memoryUsage().rss / 2 ** 20 }));
  }
`;

export interface Report {
  /** "wrote", the code of the error, or "died" and of what. */
  readonly outcome: string;
  readonly message?: string;
  /** Whether the error came after the model was loaded. */
  readonly loaded?: boolean;
  /** "loads", or the code of the refusal. */
  readonly inspection?: string;
  readonly residentMib?: number;
}

/** Milliseconds after which a load counts as hung, also on a busy machine. */
const longest = 60_000;

export class ModelLoader {
  private readonly process = spawn(process.execPath, ["--input-type=module", "-e", program]);
  private readonly reports = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  private readonly ended = once(this.process, "close");
  private said = "";

  constructor() {
    this.process.stdin.on("error", () => undefined); // it may have died
    this.process.stderr.on("data", (text: Buffer) => (this.said = (this.said + text.toString()).slice(-500)));
  }

  load(path: string, prompt = "Two pens and 3 more?"): Promise<Report> {
    return this.ask({ path, prompt });
  }

  loadAdapter(path: string, base: string): Promise<Report> {
    return this.ask({ path, base, prompt: "Two pens and 3 more?" });
  }

  private async ask(what: object): Promise<Report> {
    const hung = setTimeout(() => this.process.kill("SIGKILL"), longest);
    this.process.stdin.write(`${JSON.stringify(what)}\n`);
    const line = await this.reports.next();
    clearTimeout(hung);
    if (line.done !== true) return JSON.parse(line.value) as Report;
    return { outcome: `died: ${(await this.ended).join(" ").trim()}`, message: this.said };
  }

  async close(): Promise<void> {
    this.process.stdin.end();
    await this.ended;
  }
}
