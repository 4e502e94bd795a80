/** `thinktree serve` on real models, asked by the clients that people use. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtempSync } from "node:fs";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, streamText } from "ai";
import OpenAI, { APIConnectionError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openaiFaults } from "../support/openai-schema.js";
import { easy, ended, long, modelFlags, start, thinktree, unlessModels, type Ended } from "./thinktree.js";

const key = "0123456789abcdef";

class Running {
  private constructor(
    readonly url: string,
    private readonly child: ReturnType<typeof start>,
    private readonly end: Promise<Ended>,
  ) {}

  static async start(flags: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Running> {
    const child = start(["serve", "--port", "0", ...modelFlags, ...flags], env);
    const end = ended(child);
    const [line] = (await Promise.race([
      once(child.stdout, "data"),
      end.then((result) => Promise.reject(new Error(result.stderr))),
    ])) as [Buffer];
    return new Running(/http:\/\/\S+/.exec(line.toString())![0], child, end);
  }

  /** @returns what it came to */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    this.child.kill(signal);
    return this.end;
  }
}

const thinktreeField = z.object({ answer: z.string(), ledger: z.object({ generatedTokens: z.number() }) });

describe.skipIf(unlessModels.skip)("thinktree serve (needs models/)", () => {
  let server: Running;
  beforeAll(async () => {
    server = await Running.start([], { THINKTREE_API_KEY: key });
  });
  afterAll(async () => {
    const { code } = await server.stop();
    expect(code).toBe(0);
  });

  const messages = [{ role: "user", content: easy }] as const;

  describe("asked by openai's client", () => {
    const client = () => new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });

    it("answers, with exact usage", async () => {
      const found = await client().chat.completions.create({
        model: "thinktree-beam-16",
        messages: [...messages],
        seed: 1,
      });
      expect(openaiFaults("CreateChatCompletionResponse", found)).toEqual([]);
      expect(found.choices[0]!.message.content).toMatch(/A: 19\n$/);
      const { answer, ledger } = thinktreeField.parse((found as unknown as { thinktree: unknown }).thinktree);
      expect(answer).toBe("19");
      expect(found.usage).toMatchObject({ completion_tokens: ledger.generatedTokens });
    });

    it("streams, and its own accumulator puts the whole together", async () => {
      const stream = client().chat.completions.stream({
        ...{ model: "thinktree", messages: [...messages], stream_options: { include_usage: true } },
      });
      const faults: string[] = [];
      stream.on("chunk", (chunk) => void faults.push(...openaiFaults("CreateChatCompletionStreamResponse", chunk)));
      const found = await stream.finalChatCompletion();
      expect(faults).toEqual([]);
      expect(found.choices[0]).toMatchObject({
        finish_reason: "stop",
        message: { content: expect.stringMatching(/A: 19\n$/) as string },
      });
      expect(found.usage!.total_tokens).toBeGreaterThan(0);
    });

    it("completes texts, whole and streamed", async () => {
      const found = await client().completions.create({ model: "thinktree-majority-8", prompt: easy });
      expect(openaiFaults("CreateCompletionResponse", found)).toEqual([]);
      expect(found.choices[0]!.text).toMatch(/A: 19\n$/);
      let text = "";
      const stream = await client().completions.create({ model: "thinktree-majority-8", prompt: easy, stream: true });
      for await (const { choices } of stream) text += choices[0]!.text;
      expect(text).toMatch(/A: 19\n$/);
    });

    it("gives the n best, cuts at a text, and keeps to a number of tokens", async () => {
      const ask = (more: object) =>
        client().chat.completions.create({ model: "thinktree-majority-8", messages: [...messages], ...more });
      expect((await ask({ n: 4 })).choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
      expect((await ask({ stop: ["24"] })).choices[0]!.message.content).not.toContain("24");
      expect((await ask({ max_tokens: 3 })).choices[0]!.finish_reason).toBe("length");
      expect((await ask({ max_completion_tokens: 12 })).usage!.completion_tokens).toBeLessThanOrEqual(12);
    });

    it("lists models", async () => {
      const names = (await client().models.list()).data.map(({ id }) => id);
      expect(names).toContain("thinktree-beam-16");
      expect((await client().models.retrieve("thinktree-beam-7")).id).toBe("thinktree-beam-7");
    });

    it("gets the errors that it has classes for", async () => {
      const ask = (more: object) =>
        client().chat.completions.create({ model: "thinktree", messages: [...messages], ...more });
      await expect(ask({ model: "gpt-4o" })).rejects.toThrow(NotFoundError);
      await expect(ask({ logprobs: true })).rejects.toMatchObject({ status: 400, param: "logprobs" });
      await expect(ask({ messages: [{ role: "user", content: " " }] })).rejects.toThrow(BadRequestError);
      await expect(ask({ messages: [{ role: "user", content: "pens ".repeat(20_000) }] })).rejects.toMatchObject({
        code: "context_length_exceeded",
      });
      const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "wrong", maxRetries: 0 });
      await expect(stranger.models.list()).rejects.toThrow(AuthenticationError);
    });

    it("has the best answer so far at a deadline", async () => {
      const thinktree = { budget: { generations: 64, milliseconds: 30 } };
      const found = await client().chat.completions.create({
        ...{ model: "thinktree-beam", messages: [{ role: "user", content: long }], thinktree, temperature: 1.5 },
      } as OpenAI.ChatCompletionCreateParamsNonStreaming);
      expect(found).toMatchObject({ thinktree: { finishReason: "deadline" } });
    });
  });

  it("asked by the AI SDK's OpenAI-compatible provider", async () => {
    const provider = createOpenAICompatible({
      name: "thinktree",
      baseURL: `${server.url}/v1`,
      apiKey: key,
      includeUsage: true,
    });
    const model = provider("thinktree-beam-16");
    const whole = await generateText({
      model,
      prompt: easy,
      seed: 1,
      maxOutputTokens: 200,
      providerOptions: { thinktree: { thinktree: { budget: { milliseconds: 60_000 } } } },
    });
    expect(whole.text).toMatch(/A: 19\n$/);
    expect(whole.finishReason).toBe("stop");
    const streamed = streamText({ model, prompt: easy, seed: 1 });
    let text = "";
    for await (const part of streamed.textStream) text += part;
    expect(text).toBe(whole.text);
    expect(await streamed.usage).toMatchObject({
      inputTokens: whole.usage.inputTokens,
      outputTokens: whole.usage.outputTokens,
    });
  });

  it("asked by LangChain", async () => {
    const model = new ChatOpenAI({
      model: "thinktree-beam-16",
      apiKey: key,
      maxRetries: 0,
      configuration: { baseURL: `${server.url}/v1` },
      modelKwargs: { seed: 1 },
    });
    const whole = await model.invoke([new HumanMessage(easy)]);
    expect(whole.text).toMatch(/A: 19\n$/);
    expect(whole.usage_metadata).toMatchObject({ input_tokens: 29 });
    let text = "";
    for await (const chunk of await model.stream([new HumanMessage(easy)])) text += chunk.text;
    expect(text).toBe(whole.text);
    expect((await model.invoke([new SystemMessage("Be brief."), new HumanMessage(easy)])).text).not.toBe("");
  });
});

describe.skipIf(unlessModels.skip)("the end of thinktree serve (needs models/)", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "%s: the searches under way are answered, and the exit code is 0",
    async (signal) => {
      const server = await Running.start(["--max-n", "4096", "--total-n", "4096", "--drain-time", "50ms"]);
      const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
      const stream = await client.chat.completions.create({
        ...{
          model: "thinktree-beam-4096",
          messages: [{ role: "user", content: long }],
          temperature: 1.5,
          stream: true,
        },
        ...{ thinktree: { progress: true } },
      } as OpenAI.ChatCompletionCreateParamsStreaming);
      const chunks = stream[Symbol.asyncIterator]();
      await chunks.next(); // the search is under way
      const end = server.stop(signal);
      let last: unknown;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) last = next.value;
      expect(last).toMatchObject({ thinktree: { finishReason: "stopped" } });
      expect(await end).toMatchObject({ code: 0 });
      await expect(client.models.list()).rejects.toThrow(APIConnectionError);
    },
  );

  it("says what is wrong with its flags, and with its address", async () => {
    const taken = await Running.start();
    const { port } = new URL(taken.url);
    expect(await thinktree(["serve", "--port", port, ...modelFlags])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--port/) as string,
    });
    expect(await thinktree(["serve", "--max-n", "64", "--total-n", "8"])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/branches/) as string,
    });
    const file = join(mkdtempSync(join(tmpdir(), "thinktree-")), "keys");
    writeFileSync(file, "\n\n");
    expect(await thinktree(["serve", "--api-keys", file])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no key/) as string,
    });
    await taken.stop();
  });

  it("README's example works as it stands", async () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const command = /```sh\n(curl [^`]*)```/.exec(readme)![1]!;
    const server = await Running.start();
    const { stdout } = await promisify(execFile)("sh", ["-c", command.replace("http://localhost:8080", server.url)]);
    expect(JSON.parse(stdout)).toMatchObject({ object: "chat.completion", thinktree: { answer: "12" } });
    await server.stop();
  });
});
