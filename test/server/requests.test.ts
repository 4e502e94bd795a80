/** What requests mean to the engine, and which are refused how. */
import { once } from "node:events";
import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ThinkTreeError } from "../../lib/errors.js";
import { errorSchema } from "../../lib/server/response-schemas.js";
import type { ServerOptions } from "../../lib/server/settings.js";
import { openaiFaults } from "../support/openai-schema.js";
import { chat, closeServersAfterEach, serverOf } from "../support/scripted-server.js";
import { ScriptedEngine } from "../support/search-engine.js";

closeServersAfterEach();

describe("errors, in OpenAI's shape", () => {
  it.each([
    [404, "model", { model: "gpt-4o" }],
    [404, "model", { model: "thinktree-magic-4" }],
    [400, "messages", { messages: [] }],
    [400, "messages[0].content", { messages: [{ role: "user", content: 1 }] }],
    [
      400,
      "messages[0].content[0].type",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
    ],
    [400, "messages[0].role", { messages: [{ role: "tool", content: "4" }] }],
    [400, "messages[0].tool_calls", { messages: [{ role: "assistant", content: "4", tool_calls: [{}] }] }],
    [400, "tools", { tools: [{ type: "function" }] }],
    [400, "logprobs", { logprobs: true }],
    [400, "response_format", { response_format: { type: "json_object" } }],
    [400, "temperature", { temperature: 3 }],
    [400, "n", { n: 17 }],
    [400, "stop", { stop: ["1", "2", "3", "4", "5"] }],
    [400, "nonsense", { nonsense: 1 }],
    [400, "thinktree.budgets", { thinktree: { budgets: 1 } }],
    [400, "thinktree.budget.generations", { model: "thinktree-65" }],
    [400, "thinktree.budget.generations", { model: "thinktree-16", thinktree: { budget: 4 } }],
    [400, "thinktree.budget.milliseconds", { thinktree: { budget: { milliseconds: 1e9 } } }],
    [400, "thinktree.beamWidth", { model: "thinktree", thinktree: { beamWidth: 4 } }],
    [400, null, { thinktree: { lookahead: 2 } }], // a beam search has none
  ])("%i, %s: %j", async (status, param, body) => {
    const response = await (await serverOf()).inject(chat(body));
    expect({ status: response.statusCode, param: errorSchema.parse(response.json()).error.param }).toEqual({
      status,
      param,
    });
    expect(openaiFaults("ErrorResponse", response.json())).toEqual([]);
  });

  it.each([
    ["frequency_penalty", 0],
    ["logit_bias", {}],
    ["tools", []],
    ["tool_choice", "auto"],
    ["response_format", { type: "text" }],
    ["store", null],
    ["user", "somebody"],
    ["service_tier", "auto"],
  ])("none for what asks for nothing: %s %j", async (name, value) => {
    expect((await (await serverOf()).inject(chat({ [name]: value }))).statusCode).toBe(200);
  });

  it.each([
    ["EMPTY_PROMPT", 400, "messages"],
    ["CONTEXT_EXCEEDED", 400, "messages"],
    ["INVALID_OPTION", 400, null],
    ["NO_VERIFIER", 400, "model"],
    ["ENGINE_CLOSED", 503, null],
    ["DECODE_FAILED", 500, null],
  ] as const)("of the engine: %s is %i", async (code, status, param) => {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine)).inject(chat());
    (await engine.until(1))[0]!.fail(new ThinkTreeError(code, "words"));
    const { statusCode, headers, json } = await response;
    expect(statusCode).toBe(status);
    expect(json()).toMatchObject({ error: { message: "words", param } });
    expect(headers["retry-after"] !== undefined).toBe(status === 503);
  });

  it("say nothing of what nobody expected, but in the log", async () => {
    const [engine, log] = [new ScriptedEngine(), new PassThrough()];
    const response = (await serverOf(engine, {}, log)).inject(chat());
    (await engine.until(1))[0]!.fail(new Error("secret"));
    const { statusCode, payload } = await response;
    expect(statusCode).toBe(500);
    expect(payload).not.toContain("secret");
    expect(String(log.read())).toContain("secret");
  });

  it("for bodies that are no JSON, too long, or of another kind, and for routes that are none", async () => {
    const server = await serverOf(undefined, { bodyBytes: 1_000 });
    const url = "/v1/chat/completions";
    const json = { "content-type": "application/json" };
    const send = async (payload: string, headers: Record<string, string>) => {
      const response = await server.inject({ method: "POST", url, payload, headers });
      expect(openaiFaults("ErrorResponse", response.json())).toEqual([]);
      return response.statusCode;
    };
    expect(await send("{", json)).toBe(400);
    expect(await send("", json)).toBe(400);
    expect(await send('{"model":"thinktree","__proto__":{}}', json)).toBe(400);
    expect(await send(" ".repeat(1_001), json)).toBe(413);
    expect(await send("model=thinktree", { "content-type": "text/plain" })).toBe(415);
    const lost = await server.inject({ url: "/etc/passwd" });
    expect(lost.statusCode).toBe(404);
    expect(openaiFaults("ErrorResponse", lost.json())).toEqual([]);
  });

  it("for headers that are too long, and for what is no HTTP", async () => {
    const server = await serverOf(undefined, { headerBytes: 2_000 });
    const { port } = new URL(await server.listen("127.0.0.1", 0));
    const answerTo = async (words: string) => {
      const socket = connect(Number(port), "127.0.0.1");
      let answer = "";
      socket.on("data", (data: Buffer) => (answer += data.toString()));
      socket.on("error", () => undefined);
      socket.write(words);
      await once(socket, "close");
      return answer;
    };
    expect(await answerTo(`GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(3_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 .*"error"/s,
    );
    expect(await answerTo("hello\r\n\r\n")).toMatch(/^HTTP\/1.1 400 .*"error"/s);
  });
});

describe("what a request asks for", () => {
  async function asked(body: object, options: ServerOptions = {}) {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine, options)).inject(chat(body));
    const [search] = await Promise.race([
      engine.until(1),
      response.then(({ payload }) => {
        throw new Error(payload);
      }),
    ]);
    search!.end();
    await response;
    return search!;
  }

  it("OpenAI's parameters are the engine's options", async () => {
    const { options } = await asked({
      ...{ temperature: 0.3, top_p: 0, seed: -1, max_tokens: 50, max_completion_tokens: 500, stop: "###" },
    });
    expect(options).toMatchObject({ temperature: 0.3, seed: 2 ** 53 - 1, maxLength: 50, stopTexts: ["###"] });
    expect(options.topP).toBeGreaterThan(0);
    expect(options.budget).toMatchObject({ tokens: 500, generations: 16 });
    expect(options.strategy).toMatchObject({ name: "beam", generations: 16 });
  });

  it("the field thinktree says the rest", async () => {
    const budget = { generations: 8, tokens: 100, flops: 1e12, milliseconds: 50 };
    const thinktree = { strategy: "dvts", beamWidth: 2, budget, topK: 5, minP: 0.1, earlyStop: false, guards: false };
    const { options } = await asked({ model: "thinktree", max_completion_tokens: 70, thinktree });
    expect(options).toMatchObject({ topK: 5, minP: 0.1, earlyStop: false, guards: false });
    expect(options.budget).toEqual({ ...budget, tokens: 70 });
    expect(options.strategy).toMatchObject({ name: "dvts", options: { n: 8, beamWidth: 2 } });
  });

  it("what it leaves open are the server's caps", async () => {
    const { options } = await asked({ model: "thinktree" }, { branches: 4, tokens: 900, milliseconds: 1_000 });
    expect(options.strategy).toBeUndefined();
    expect(options.budget).toEqual({ generations: 4, tokens: 900, flops: undefined, milliseconds: 1_000 });
  });

  it("turns of a chat stay turns; a developer is a system", async () => {
    const parts = [
      { type: "text", text: "2" },
      { type: "text", text: "+2?" },
    ];
    const turns = [
      { role: "developer", content: "Be brief." },
      { role: "user", content: "1+1?" },
      { role: "assistant", content: "2", refusal: null },
      { role: "user", content: parts },
    ];
    expect((await asked({ messages: turns })).question).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "1+1?" },
      { role: "assistant", content: "2" },
      { role: "user", content: "2+2?" },
    ]);
  });
});
