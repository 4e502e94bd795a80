/**
 * OpenAI's routes: models, chat completions, completions.
 *
 * Owns: from a request to its search, and from its answer to a response, whole or streamed; a client that goes ends its search.
 * Must not know: how a search runs, what the parts of requests and responses mean.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";

import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";

import { LiveRecording } from "../report/live-recording.js";
import type { Question } from "../scheduler/conversation.js";
import type { Answer } from "../scheduler/solve-options.js";
import { chatKind, chunksOf, completionKind, envelope, newsChunk, progressJson, wholeAnswer } from "./answers.js";
import { apiErrorOf, gone } from "./api-error.js";
import { comment, event, eventStream } from "./event-stream.js";
import { modelNames, searchByName } from "./model-names.js";
import { chatSchema, completionSchema, type ChatRequest, type CommonRequest } from "./request-schemas.js";
import {
  chatChunk,
  chatCompletion,
  errorSchema,
  model,
  modelList,
  textChunk,
  textCompletion,
} from "./response-schemas.js";
import type { SearchEngine, Searches } from "./searches.js";
import { chatQuestion, completionQuestion, searchOf } from "./search-request.js";
import type { ServerSettings } from "./settings.js";

interface Parts {
  readonly engine: SearchEngine;
  readonly searches: Searches;
  readonly settings: ServerSettings;
  readonly client: (authorization: string | undefined, address: string) => string;
}

/** Between two looks at a tree that somebody follows: no eye is faster. */
const pulseMs = 150;

const security = [{ key: [] }];
const errors = { "4xx": errorSchema, "5xx": errorSchema };

const answered = (whole: z.ZodType, chunk: z.ZodType) => {
  const content = { "application/json": { schema: whole }, "text/event-stream": { schema: chunk } };
  return { 200: { description: "Whole, or with stream: true as events", content }, ...errors };
};

export const openaiRoutes: FastifyPluginAsync<Parts> = async (scope, parts) => {
  const { engine, settings, client } = parts;
  const app = scope.withTypeProvider<ZodTypeProvider>();
  const clients = new WeakMap<FastifyRequest, string>();
  app.addHook("onRequest", async (request) => {
    clients.set(request, client(request.headers.authorization, request.ip));
  });

  const created = Math.floor(Date.now() / 1_000);
  const modelNamed = (id: string) => ({ id, object: "model" as const, created, owned_by: "thinktree" });
  const names = modelNames(engine.models.verifier !== undefined, settings.branches);
  const about = { tags: ["models"], security };
  const listed = { ...about, summary: "Searches, by name", response: { 200: modelList, ...errors } };
  app.get("/models", { schema: listed }, () => ({ object: "list" as const, data: names.map(modelNamed) }));
  const one = { ...about, params: z.object({ model: z.string() }), response: { 200: model, ...errors } };
  app.get("/models/:model", { schema: one }, ({ params }) => {
    searchByName(params.model);
    return modelNamed(params.model);
  });

  const answering = responder(parts, (request) => clients.get(request)!);
  const tags = ["searches"];
  const chat = { tags, security, summary: "The answer to a chat's last turn", body: chatSchema };
  app.post(
    "/chat/completions",
    { schema: { ...chat, response: answered(chatCompletion, chatChunk) } },
    (request, reply) => {
      const asked = { question: chatQuestion(request.body), field: "messages" };
      return answering(request, reply, { ...asked, kind: chatKind, prefix: "chatcmpl", body: request.body });
    },
  );
  const text = { tags, security, summary: "The answer to a question", body: completionSchema };
  app.post("/completions", { schema: { ...text, response: answered(textCompletion, textChunk) } }, (request, reply) => {
    const asked = { question: completionQuestion(request.body), field: "prompt" };
    return answering(request, reply, { ...asked, kind: completionKind, prefix: "cmpl", body: request.body });
  });
};

interface Asked {
  readonly question: Question;
  /** Where the question stands in the request. */
  readonly field: string;
  readonly kind: typeof chatKind;
  readonly prefix: "chatcmpl" | "cmpl";
  readonly body: CommonRequest & Pick<ChatRequest, "max_completion_tokens">;
}

function responder({ engine, searches, settings }: Parts, clientOf: (request: FastifyRequest) => string) {
  const { generator, verifier } = engine.fingerprints;
  const fingerprint = `fp_${createHash("sha256").update(`${generator} ${verifier}`).digest("hex").slice(0, 12)}`;

  return async (request: FastifyRequest, reply: FastifyReply, { question, field, kind, prefix, body }: Asked) => {
    const head = envelope(prefix, body.model, fingerprint);
    const search = searchOf(question, body, settings, engine.models.generator.positions);
    const { choices } = search;
    const signal = goneSignal(reply);
    const finish = (answer: Answer) => {
      // Whoever does not take the answer shall not keep the connection.
      reply.raw.setTimeout(settings.clientMs, () => reply.raw.destroy());
      log(request, settings, body, answer, question);
      return answer;
    };
    const told = (error: unknown) => {
      throw apiErrorOf(error, field);
    };
    const call = { client: clientOf(request), signal };
    if (body.stream !== true) {
      const answer = finish(await searches.run(search, call).catch(told));
      return reply.send(wholeAnswer(kind, head, answer, choices));
    }
    const withUsage = body.stream_options?.include_usage === true;
    const recording = body.thinktree?.tree === true ? new LiveRecording() : undefined;
    const inChunks = body.thinktree?.progress === true || recording !== undefined;
    const watched = recording ? { ...search, options: { ...search.options, watch: recording.watch } } : search;
    const lines = await eventStream({
      search: async (onProgress) => {
        const answer = await searches.run(watched, { ...call, onProgress }).then(finish, told);
        recording?.end(answer.steps);
        return answer;
      },
      pulse: recording && { everyMs: pulseMs, news: () => recording.news() },
      news: (progress, tree) =>
        inChunks
          ? event(newsChunk(kind, head, { progress, tree }, withUsage))
          : comment(JSON.stringify(progressJson(progress!))),
      answer: (answer) => chunksOf(kind, head, answer, choices, withUsage),
      patienceMs: settings.patienceMs,
    });
    reply
      .type("text/event-stream; charset=utf-8")
      .header("cache-control", "no-cache")
      .header("x-accel-buffering", "no");
    return reply.send(Readable.from(lines));
  };
}

/** Fires when the connection ends before the response does. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const leaving = new AbortController();
  if (raw.destroyed) throw gone();
  raw.once("close", () => {
    if (!raw.writableFinished) leaving.abort();
  });
  return leaving.signal;
}

function log(
  request: FastifyRequest,
  { logPrompts }: ServerSettings,
  body: CommonRequest,
  answer: Answer,
  question: Question,
) {
  const { strategy, generations, finishReason, ledger } = answer;
  const { promptTokens, generatedTokens, milliseconds } = ledger;
  const cost = { promptTokens, generatedTokens, milliseconds: Math.round(milliseconds) };
  const said = logPrompts && { question, text: answer.text };
  const facts = { model: body.model, strategy: strategy.name, generations, finishReason, ...cost };
  request.log.info({ ...facts, ...said }, "search");
}
