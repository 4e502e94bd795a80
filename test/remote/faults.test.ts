/** Servers that refuse, break, stall and lie, on real sockets. */
import { describe, expect, it } from "vitest";

import { Engine, type ConnectOptions } from "../../lib/scheduler/engine.js";
import { bestOfN, beamSearch, majorityVote } from "../../lib/strategies/index.js";
import {
  breakOff,
  breaks,
  CompletionsServer,
  refuses,
  stall,
  usualTokens,
  writesThen,
} from "../support/completions-server.js";

const recipe = {
  name: "toy",
  prompt: "Q: {question}\n",
  steps: { delimiter: "\n" },
  answerPrefix: "A: ",
} as const;
const tag = {
  name: "toy tag",
  prompt: "Q: {question}\n",
  next: "{step}?",
  words: "own",
  read: { pair: ["+", "-"] as [string, string] },
  aggregation: "last",
} as const;
const text = usualTokens.join("");
const one = majorityVote({ n: 1 });

function connect({ url }: CompletionsServer, options: Partial<ConnectOptions> = {}, key?: string): Promise<Engine> {
  const server = { url, ...(key !== undefined && { apiKey: key }) };
  return Engine.connect({
    generator: { ...server, recipe },
    verifier: { ...server, recipe: tag },
    ...options,
  });
}

/** What it is refused with; the test fails if it is not. */
async function failureOf(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  return promise.then(
    () => expect.unreachable("it should fail"),
    (error: { code: string; message: string }) => error,
  );
}

/** Resolves when the server has been asked for so many texts. */
async function streams(server: CompletionsServer, count: number): Promise<void> {
  while (server.streams.length < count) await new Promise(setImmediate);
}

describe("what may pass", () => {
  it("is tried again: refusals, breaks before an answer and within it", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    const half = writesThen(["1", "+", "2", "=", "3", "\n", "A: "], breakOff);
    for (const fault of [refuses(503), refuses(429), breaks, writesThen(["1"], breakOff), half]) {
      server.fail([fault]);
      const before = server.streams.length;
      const answer = await engine.solve("1+2?", { strategy: one });
      expect(answer.text).toBe(text);
      expect(answer.answer).toBe("3");
      expect(server.streams.length - before).toBe(2);
    }
    // The last one had a whole step: it was kept, and asked to go on from there.
    expect(server.streams.at(-1)!.body.prompt).toBe("Q: 1+2?\n1+2=3\n");
  });

  it("is tried again when the server says", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    server.fail([refuses(429, { "retry-after": "1" })]);
    await engine.solve("1+2?", { strategy: one });
    const [first, second] = server.streams;
    expect(second!.at - first!.at).toBeGreaterThan(990); // no earlier; how much later is the machine's affair
  });

  it("does not pass for ever", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server, { retries: 1 }, "secret");
    server.fail([refuses(503), refuses(503)]);
    const { code, message } = await failureOf(engine.solve("1+2?", { strategy: one }));
    expect(code).toBe("REMOTE_FAILED");
    expect(message).toContain(server.url);
    expect(message).toContain("503: not now: given up after 2 times");
    expect(message).not.toContain("secret");
  });

  it("is a silence, too", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server, { timeoutMilliseconds: 500 });
    server.fail([stall, writesThen(["1", "+"], stall)]);
    expect((await engine.solve("1+2?", { strategy: one })).text).toBe(text);
    expect(server.streams).toHaveLength(3);
    await expect(server.streams[1]!.hungUp).resolves.toBe(true);
  });

  it("is counted: what was written in vain has been written", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    server.fail([writesThen(["1", "+"], breakOff)]);
    const { ledger } = await engine.solve("1+2?", { strategy: one });
    expect(ledger.generatedTokens).toBe(usualTokens.length + 2);
  });
});

describe("what does not pass", () => {
  it("is told at once, with what to do", async () => {
    await using server = await CompletionsServer.start({ apiKey: "right" });
    const wrong = await failureOf(connect(server, {}, "wr0ng"));
    expect(wrong).toMatchObject({ code: "REMOTE_FAILED", message: expect.stringContaining("401") as string });
    expect(wrong.message).toContain("THINKTREE_REMOTE_KEY");
    expect(wrong.message).not.toContain("wr0ng"); // the server had told it
    const generator = { url: server.url, apiKey: "right", recipe };
    const unknown = await failureOf(Engine.connect({ generator: { ...generator, model: "other" } }));
    expect(unknown).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining("serves toy") as string });
    await using engine = await Engine.connect({ generator });
    server.fail([refuses(404, {}, "The model toy does not exist.")], ({ path }) => path === "/v1/completions");
    const missing = await failureOf(engine.solve("1+2?", { strategy: one }));
    expect(missing).toMatchObject({
      code: "REMOTE_FAILED",
      message: expect.stringContaining("does not exist") as string,
    });
    expect(server.asked.filter(({ path }) => path === "/v1/completions")).toHaveLength(1);
  });

  it("is what is no completion", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    const writes = (data: string) => writesThen([], (response) => response.end(`data: ${data}\n\n`));
    for (const data of ["{oops", '{"choices":[{"text":1}]}', '{"error":{"message":"out of memory"}}']) {
      server.fail([writes(data)]);
      expect(await failureOf(engine.solve("1+2?", { strategy: one }))).toMatchObject({ code: "REMOTE_FAILED" });
    }
    server.fail([writes('{"choices":[{"text":"1","finish_reason":null}]}')]);
    const blind = await failureOf(engine.solve("1+2?", { strategy: one }));
    expect(blind.message).toContain("log-probabilities");
    server.fail(
      [(response) => void response.end("<html>")],
      ({ path, body }) => path === "/v1/completions" && !body.stream,
    );
    expect(await failureOf(engine.solve("1+2?", { strategy: one }))).toMatchObject({ code: "REMOTE_FAILED" });
  });

  it("is a server that is not there, or no address", async () => {
    const server = await CompletionsServer.start();
    const { url } = server;
    await server.kill();
    const gone = await failureOf(Engine.connect({ generator: { url }, retries: 0 }));
    expect(gone).toMatchObject({ code: "REMOTE_FAILED", message: expect.stringContaining(url) as string });
    for (const bad of ["localhost:80", "ftp://x", "http://user:pa55@host"]) {
      const refused = await failureOf(Engine.connect({ generator: { url: bad } }));
      expect(refused.code).toBe("INVALID_OPTION");
      expect(refused.message).not.toContain("pa55");
    }
  });

  it("is a question that does not fit", async () => {
    await using server = await CompletionsServer.start({ contextTokens: 100 });
    await using engine = await connect(server);
    const long = await failureOf(engine.solve("1+2?".repeat(40), { strategy: one }));
    expect(long.code).toBe("CONTEXT_EXCEEDED");
  });

  it("is a server that dies in the middle of a search", async () => {
    const server = await CompletionsServer.start();
    await using engine = await connect(server, { retries: 1 });
    server.fail(Array.from({ length: 16 }, () => writesThen(["1", "+"], stall)));
    const search = failureOf(engine.solve("1+2?", { strategy: beamSearch({ n: 16, beamWidth: 4 }) }));
    await streams(server, 16);
    await server.kill();
    expect(await search).toMatchObject({ code: "REMOTE_FAILED" });
  });
});

describe("an end", () => {
  const slow = Array.from({ length: 8 }, () => writesThen(["1", "+", "2", "=", "3", "\n", "A"], stall));
  const search = { strategy: bestOfN({ n: 8 }) };

  it("by the caller: the server is hung up on, and nothing is left under way", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    server.fail(slow);
    const controller = new AbortController();
    const failure = failureOf(engine.solve("1+2?", { ...search, signal: controller.signal }));
    await streams(server, 8);
    controller.abort();
    expect(await failure).toMatchObject({ code: "CANCELLED" });
    for (const { hungUp } of server.streams) expect(await hungUp).toBe(true);
    expect(engine.stats().searches).toBe(0);
  });

  it("by stop: with what there is", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    server.fail(slow);
    const controller = new AbortController();
    const answer = engine.solve("1+2?", { ...search, stop: controller.signal });
    await streams(server, 8);
    while (engine.stats().decodedTokens < 8 * 7) await new Promise(setImmediate); // all of it has arrived
    controller.abort();
    expect(await answer).toMatchObject({ finishReason: "stopped", text: "1+2=3\nA" });
  });

  it("by the deadline, also before there is anything", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    server.fail(slow);
    const budget = { milliseconds: 300 };
    expect(await engine.solve("1+2?", { ...search, budget })).toMatchObject({ finishReason: "deadline" });
    server.fail([stall], ({ path }) => path === "/v1/completions");
    expect(await engine.solve("1+2?", { ...search, budget })).toMatchObject({ finishReason: "deadline", text: "" });
  });

  it("by closing the engine", async () => {
    await using server = await CompletionsServer.start();
    const engine = await connect(server);
    server.fail(slow);
    const failure = failureOf(engine.solve("1+2?", search));
    await streams(server, 8);
    await engine.close();
    expect(await failure).toMatchObject({ code: "ENGINE_CLOSED" });
    expect(await failureOf(engine.solve("1+2?", search))).toMatchObject({ code: "ENGINE_CLOSED" });
    for (const { hungUp } of server.streams) expect(await hungUp).toBe(true);
  });

  it("while it waits to try again", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server);
    server.fail([refuses(503, { "retry-after": "3600" })]);
    const controller = new AbortController();
    const failure = failureOf(engine.solve("1+2?", { strategy: one, signal: controller.signal }));
    await streams(server, 1);
    await server.streams[0]!.hungUp;
    controller.abort();
    expect(await failure).toMatchObject({ code: "CANCELLED" });
  });
});

/** How many texts the server is asked for while it gives none, out of eight, once it was for so many; then it gives them. */
async function askedAtOnce(server: CompletionsServer, engine: Engine, atLeast: number): Promise<number> {
  const held: (() => void)[] = [];
  server.fail(Array.from({ length: 8 }, () => (_: unknown, rest: () => void) => void held.push(rest)));
  const answer = engine.solve("1+2?", { strategy: majorityVote({ n: 8 }) });
  await streams(server, atLeast);
  const others = await CompletionsServer.start(); // who is asked over the same loop meanwhile, and has answered
  for (let i = 0; i < 20; i++) await (await fetch(`${others.url}/v1/models`)).text();
  await others.kill();
  const atOnce = held.length;
  for (let given = 0; given < 8; given++) {
    while (held.length === 0) await new Promise(setImmediate);
    held.shift()!();
  }
  expect(await answer).toMatchObject({ answer: "3", text });
  return atOnce;
}

describe("requests at once", () => {
  it("are as many as is said", async () => {
    await using server = await CompletionsServer.start();
    await using engine = await connect(server, { concurrency: 3, verifier: null });
    expect(await askedAtOnce(server, engine, 3)).toBe(3);
  });

  it("are as many as llama.cpp's server has slots", async () => {
    await using server = await CompletionsServer.start({ style: "llama.cpp" });
    await using engine = await connect(server, { verifier: null });
    expect(await askedAtOnce(server, engine, 2)).toBe(2);
  });
});
