/**
 * Asks model_probe (test/models/model_probe.cpp) what a GGUF file's tokens and numbers are.
 *
 * Owns: building it, the process, its lines. Must not know: what is tested.
 */
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

export function buildModelProbe(): void {
  execFileSync("cmake", ["--build", "build", "--target", "model_probe", "--parallel", "2"], { stdio: "pipe" });
}

export class ModelProbe implements AsyncDisposable {
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly lines: Interface;
  private readonly answers: AsyncIterator<string>;
  private mistakes = "";

  constructor(file: string) {
    this.process = spawn(join("build", "model_probe"), [file]);
    this.process.stderr.on("data", (chunk: Buffer) => (this.mistakes += chunk.toString()));
    this.process.stdin.on("error", () => undefined); // it has ended, and says why
    this.lines = createInterface({ input: this.process.stdout });
    this.answers = this.lines[Symbol.asyncIterator]();
  }

  /** `prompt`: with the start token. `plain`: text that looks like a special token is none. */
  tokens(kind: "prompt" | "context" | "plain", text: string): Promise<number[]> {
    return this.ask([kind, Buffer.from(text).toString("hex")]);
  }

  /** Whether each of the tokens ends a text. */
  async ends(tokens: readonly number[]): Promise<boolean[]> {
    return (await this.ask(["ends", ...tokens])).map((end) => end === 1);
  }

  /** After the output norm, one a token. */
  async hidden(tokens: readonly number[]): Promise<number[][]> {
    const all = await this.ask(["hidden", ...tokens]);
    const width = all.length / tokens.length;
    return tokens.map((_, i) => all.slice(i * width, (i + 1) * width));
  }

  /** After each token, the probability of one of two tokens to come next, if one of them does. */
  pair(a: number, b: number, tokens: readonly number[]): Promise<number[]> {
    return this.ask(["pair", a, b, ...tokens]);
  }

  /** Log-probabilities of all tokens but the first. */
  likelihood(tokens: readonly number[]): Promise<number[]> {
    return this.ask(["likelihood", ...tokens]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lines.close();
    this.process.stdin.end();
    if (this.process.exitCode === null) await new Promise((resolve) => this.process.once("exit", resolve));
  }

  private async ask(words: readonly (string | number)[]): Promise<number[]> {
    this.process.stdin.write(`${words.join(" ")}\n`);
    const answer = await this.answers.next();
    if (answer.done === true) throw new Error(`model_probe has ended: ${this.mistakes}`);
    return answer.value.split(" ").filter(Boolean).map(Number);
  }
}
