/** What the server answers, whole and streamed, held to its own description and to OpenAI's. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ThinkTreeError } from "../../lib/errors.js";
import {
  chatChunk,
  chatCompletion,
  modelList,
  searchNews,
  textChunk,
  textCompletion,
} from "../../lib/server/response-schemas.js";
import { hasOpenaiSchema, openaiFaults } from "../support/openai-schema.js";
import { chat, closeServersAfterEach, serverOf, text } from "../support/scripted-server.js";
import { answerOf, ScriptedEngine } from "../support/search-engine.js";

closeServersAfterEach();

const eventsOf = (payload: string) =>
  payload
    .split("\n\n")
    .filter((event) => event.startsWith("data: {"))
    .map((event) => JSON.parse(event.slice(6)) as { choices: { delta?: { content?: string }; text?: string }[] });

describe("answers", () => {
  it("as chat completions, with exact usage, and the search in a field of its own", async () => {
    const response = await (await serverOf()).inject(chat());
    const body = z.strictObject(chatCompletion.shape).parse(response.json());
    expect(openaiFaults("CreateChatCompletionResponse", response.json())).toEqual([]);
    expect(body).toMatchObject({
      model: "thinktree-beam-16",
      choices: [{ index: 0, finish_reason: "stop", message: { content: "4*6=24\n24-5=19\n" } }],
      usage: { prompt_tokens: 10, completion_tokens: 40, total_tokens: 50 },
      thinktree: { answer: "19", finishReason: "complete", ledger: { promptTokens: 10, generatedTokens: 40 } },
    });
    expect(body.usage.completion_tokens_details.reasoning_tokens).toBe(30); // two steps of 5 are the answer
  });

  it("as text completions", async () => {
    const response = await (await serverOf()).inject(text());
    expect(openaiFaults("CreateCompletionResponse", response.json())).toEqual([]);
    expect(textCompletion.parse(response.json()).choices[0]!.text).toBe("4*6=24\n24-5=19\n");
  });

  it("with the n best candidates, and says of each whether it was cut short", async () => {
    const server = await serverOf(new ScriptedEngine(answerOf(["1\n", "2\n", "3\n"], false)));
    const { choices } = chatCompletion.parse((await server.inject(chat({ n: 2 }))).json());
    expect(choices.map(({ index, finish_reason, message }) => [index, finish_reason, message.content])).toEqual([
      [0, "length", "1\n"],
      [1, "length", "2\n"],
    ]);
  });

  it("the list of models, each of which can be asked for", async () => {
    const server = await serverOf();
    const list = await server.inject({ url: "/v1/models" });
    expect(openaiFaults("ListModelsResponse", list.json())).toEqual([]);
    const names = modelList.parse(list.json()).data.map(({ id }) => id);
    expect(names).toEqual(expect.arrayContaining(["thinktree", "thinktree-16", "thinktree-beam", "thinktree-dvts-64"]));
    for (const model of names) {
      expect((await server.inject({ url: `/v1/models/${model}` })).json()).toMatchObject({ id: model });
      expect((await server.inject(chat({ model }))).statusCode).toBe(200);
    }
  });

  it("no more than it promises in its own description, which is one of OpenAPI", async () => {
    const { openapi, paths } = (await (await serverOf()).inject({ url: "/openapi.json" })).json<{
      openapi: string;
      paths: Record<
        string,
        {
          post?: {
            requestBody: { content: Record<string, { schema: { required: string[] } }> };
            responses: { 200: { content: Record<string, unknown> } };
          };
        }
      >;
    }>();
    expect(openapi).toBe("3.1.0");
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/models",
        "/health",
        "/ready",
        "/metrics",
      ]),
    );
    const { schema } = paths["/v1/chat/completions"]!.post!.requestBody.content["application/json"]!;
    expect(schema.required).toEqual(["model", "messages"]);
    const { content } = paths["/v1/chat/completions"]!.post!.responses["200"];
    expect(Object.keys(content)).toEqual(["application/json", "text/event-stream"]);
    expect(JSON.stringify(content["text/event-stream"])).toContain('"pruned"');
  });
});

describe("streams", () => {
  it.each([
    ["chat", chat, "CreateChatCompletionStreamResponse", chatChunk],
    ["text", text, "CreateCompletionResponse", textChunk],
  ] as const)(
    "of %s: progress in comments, a chunk a step, usage if asked for, the end",
    async (_, request, schema, shape) => {
      const engine = new ScriptedEngine();
      const server = await serverOf(engine);
      const response = server.inject(request({ stream: true, n: 2, stream_options: { include_usage: true } }));
      const [search] = await engine.until(1);
      search!.options.onProgress!({ round: 1, live: 4, finished: 0, bestScore: 0.5, ledger: answerOf().ledger });
      await new Promise(setImmediate);
      search!.end();
      const { payload, headers } = await response;
      expect(headers["content-type"]).toMatch(/^text\/event-stream/);
      expect(payload).toMatch(
        /^: \{"round":1,"live":4,"finished":0,"bestScore":0.5,"generatedTokens":40,[^\n]*\}\n\ndata/,
      );
      expect(payload.endsWith("data: [DONE]\n\n")).toBe(true);
      const chunks = eventsOf(payload);
      for (const chunk of chunks) z.strictObject(shape.shape).parse(chunk);
      // OpenAI's description of text completions knows of no chunk: neither of an open end nor of usage to come.
      const whole = schema === "CreateCompletionResponse" ? [] : chunks;
      expect(whole.flatMap((chunk) => openaiFaults(schema, chunk))).toEqual([]);
      const written = (index: number) =>
        chunks
          .flatMap(({ choices }) => choices as { index: number; delta?: { content?: string }; text?: string }[])
          .filter((choice) => choice.index === index)
          .map((choice) => choice.delta?.content ?? choice.text ?? "");
      expect(written(0).filter(Boolean)).toEqual(["4*6=24\n", "24-5=19\n"]);
      expect(written(1).join("")).toBe("A: 19\n");
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 40 } });
      expect(chunks.at(-2)).toMatchObject({
        usage: null,
        thinktree: { answer: "19", ledger: { generatedTokens: 40 } },
      });
    },
  );

  it("progress in chunks that add nothing, if they are asked for", async () => {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine)).inject(chat({ stream: true, thinktree: { progress: true } }));
    const [search] = await engine.until(1);
    search!.options.onProgress!({ round: 2, live: 1, finished: 3, bestScore: null, ledger: answerOf().ledger });
    await new Promise(setImmediate);
    search!.end();
    const [first] = eventsOf((await response).payload);
    expect(openaiFaults("CreateChatCompletionStreamResponse", first)).toEqual([]);
    expect(first).toMatchObject({ choices: [{ delta: { content: "" } }], thinktree: { progress: { round: 2 } } });
    z.strictObject(searchNews.shape).parse((first as unknown as { thinktree: unknown }).thinktree);
  });

  it("are kept alive by comments", async () => {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine, { patienceMs: 10 })).inject(chat({ stream: true }));
    const [search] = await engine.until(1);
    setTimeout(() => search!.end(), 100);
    expect((await response).payload).toMatch(/^(: searching\n\n)+data: /);
  });

  it("end with an error that clients know, if it comes too late for a status", async () => {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine, { patienceMs: 10 })).inject(chat({ stream: true }));
    const [search] = await engine.until(1);
    setTimeout(() => search!.fail(new ThinkTreeError("DECODE_FAILED", "no memory")), 100);
    const { statusCode, payload } = await response;
    expect(statusCode).toBe(200);
    expect(payload).toContain('data: {"error":{"message":"no memory","type":"server_error"');
    expect(payload).not.toContain("[DONE]");
  });

  it("are none where all is wrong from the start", async () => {
    const engine = new ScriptedEngine();
    const response = (await serverOf(engine)).inject(chat({ stream: true }));
    (await engine.until(1))[0]!.fail(new ThinkTreeError("CONTEXT_EXCEEDED", "too long"));
    expect((await response).statusCode).toBe(400);
  });
});

it("has OpenAI's description to hold responses to", { skip: hasOpenaiSchema }, () => {
  console.warn("test/server: OpenAI's description is not here, responses are not held to it");
});
