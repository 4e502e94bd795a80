/**
 * A server of OpenAI's completions on a real socket, which writes what it is told and fails when it is told.
 *
 * Owns: the shapes of answers, as vLLM has them or as llama.cpp has them. Must not know: who asks.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown> & {
    readonly prompt: string;
    readonly seed?: number;
    readonly stream?: boolean;
  };
  readonly headers: IncomingMessage["headers"];
  readonly at: number;
  /** Resolves when the connection of an answer ends; true if it was not whole then. */
  readonly hungUp: Promise<boolean>;
}

/** Takes the answer over; `rest` gives the usual one. */
type Fault = (response: ServerResponse, rest: () => void) => void;

interface Options {
  /** Tokens of what comes after a prompt, the end token excepted. Default: the rest of `usualTokens`. */
  readonly writes?: (asked: Asked["body"]) => readonly string[];
  /** Of "+", where "-" has the rest. */
  readonly scores?: (prompt: string) => number;
  /** Tokens in one event. */
  readonly together?: number;
  /** Default: as vLLM. */
  readonly style?: "llama.cpp";
  readonly apiKey?: string;
  readonly models?: readonly string[];
  readonly contextTokens?: number;
}

export const usualTokens = ["1", "+", "2", "=", "3", "\n", "A: ", "3", "\n"];
const sure = -0.125;

/** Of the usual tokens, what the prompt does not have yet. */
function rest({ prompt }: Asked["body"]): readonly string[] {
  const has = usualTokens
    .map((_, i) => usualTokens.length - i)
    .find((n) => prompt.endsWith(usualTokens.slice(0, n).join("")));
  return usualTokens.slice(has ?? 0);
}

export class CompletionsServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  private readonly faults: { readonly of: (asked: Asked) => boolean; readonly fault: Fault }[] = [];
  private readonly server = createServer((request, response) => void this.answer(request, response));

  static async start(options: Options = {}): Promise<CompletionsServer> {
    const server = new CompletionsServer(options);
    server.server.listen(0, "127.0.0.1");
    await once(server.server, "listening");
    return server;
  }

  private constructor(private readonly options: Options) {}

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What was asked to be written. */
  get streams(): Asked[] {
    return this.asked.filter(({ body }) => body.stream);
  }

  /** The next answers to streams (or to others: `of`) go wrong, each in one of these ways. */
  fail(faults: readonly Fault[], of: (asked: Asked) => boolean = ({ body }) => body.stream === true): void {
    this.faults.push(...faults.map((fault) => ({ of, fault })));
  }

  /** Dies with all its connections. */
  async kill(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close").catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.server.listening) await this.kill();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sent = await text(request).catch(() => "");
    const body = (sent === "" ? { prompt: "" } : JSON.parse(sent)) as Asked["body"];
    const hungUp = once(response, "close").then(() => !response.writableFinished);
    const asked = { path: request.url!, body, headers: request.headers, at: performance.now(), hungUp };
    this.asked.push(asked);
    response.on("error", () => undefined);

    const at = this.faults.findIndex(({ of }) => of(asked));
    const [met] = at < 0 ? [] : this.faults.splice(at, 1);
    const usual = () => this.usual(asked, response);
    if (met === undefined) usual();
    else met.fault(response, usual);
  }

  private usual({ path, body, headers }: Asked, response: ServerResponse): void {
    const { apiKey, style, models = ["toy"], contextTokens = 4096 } = this.options;
    const json = (status: number, value: object) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    if (apiKey !== undefined && headers.authorization !== `Bearer ${apiKey}`) {
      return json(401, { error: { message: `wrong key: ${headers.authorization}` } });
    }
    if (path === "/v1/models") return json(200, { data: models.map((id) => ({ id, max_model_len: contextTokens })) });
    if (path === "/props" && style === "llama.cpp") {
      return json(200, { total_slots: 2, eos_token: "</s>", default_generation_settings: { n_ctx: contextTokens } });
    }
    if (path !== "/v1/completions") return json(404, { detail: "Not Found" });
    if (!models.includes(body["model"] as string)) {
      return json(404, { error: { message: `The model ${String(body["model"])} does not exist.` } });
    }
    if (body.prompt.length + (body["max_tokens"] as number) > contextTokens) {
      return json(400, { error: { message: `This model's maximum context length is ${contextTokens} tokens.` } });
    }
    if (body.stream) return this.stream(body, response);
    const good = this.options.scores?.(body.prompt) ?? 0.75;
    const top = { "+": Math.log(good), "-": Math.log(1 - good), "\n": -30 };
    const logprobs = { tokens: ["+"], token_logprobs: [top["+"]], top_logprobs: [top] };
    const choice = { text: "+", finish_reason: "length", ...(body["logprobs"] !== undefined && { logprobs }) };
    json(200, { choices: [choice], usage: usageOf(body, 1) });
  }

  private stream(body: Asked["body"], response: ServerResponse): void {
    const { writes = rest, together = 1, style } = this.options;
    const all = [...writes(body), ""]; // the end token has no letters
    const tokens = all.slice(0, body["max_tokens"] as number);
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (let at = 0; at < tokens.length; at += together) {
      const some = tokens.slice(at, at + together);
      const over = at + together >= tokens.length;
      const finish_reason = over ? (tokens.length === all.length ? "stop" : "length") : null;
      event(response, { choices: [{ text: some.join(""), logprobs: logprobsOf(some, style), finish_reason }] });
    }
    event(response, { choices: [], usage: usageOf(body, tokens.length) });
    response.end("data: [DONE]\n\n");
  }
}

function event(response: ServerResponse, data: object): void {
  response.write(`data: ${JSON.stringify(data)}\n\n`);
}

function usageOf({ prompt }: Asked["body"], completion_tokens: number) {
  return { prompt_tokens: prompt.length, completion_tokens, prompt_tokens_details: { cached_tokens: 0 } };
}

function logprobsOf(tokens: readonly string[], style: Options["style"]) {
  if (style === "llama.cpp") return { content: tokens.map((token) => ({ token, logprob: sure, top_logprobs: [] })) };
  return { tokens, token_logprobs: tokens.map(() => sure), top_logprobs: tokens.map((token) => ({ [token]: sure })) };
}

/** An error instead of an answer. */
export function refuses(status: number, headers: Record<string, string> = {}, message = "not now"): Fault {
  return (response) =>
    void response.writeHead(status, headers).end(JSON.stringify({ error: { message, type: "server_error" } }));
}

/** The connection breaks before an answer. */
export const breaks: Fault = (response) => void response.socket!.destroy();

/** These tokens, and then `end`. */
export function writesThen(tokens: readonly string[], end: (response: ServerResponse) => void): Fault {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const token of tokens) {
      event(response, { choices: [{ text: token, logprobs: logprobsOf([token], undefined), finish_reason: null }] });
    }
    end(response);
  };
}

/** The connection breaks when what was written has gone out. */
export const breakOff = (response: ServerResponse): void => {
  response.write(": one moment\n\n", () => response.socket?.destroy());
};

/** Silence, as long as the client stands it. */
export const stall = (): void => undefined;
