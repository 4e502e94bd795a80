/**
 * OpenAI's completions, as vLLM, SGLang and llama.cpp's server speak them.
 *
 * Owns: the fields of requests and answers; which of a text's letters are which token.
 * Must not know: connections, trees, what texts say.
 *
 * Everything that is drawn comes with its log-probability: it tells tokens apart, also where several come at once. What
 * OpenAI's API does not have (top_k, min_p, repetition_penalty) is what vLLM and SGLang call so; llama.cpp skips the last.
 */
import { z } from "zod";

import type { SamplerOptions } from "../engine/codec.js";
import type { Endpoint } from "./endpoint.js";
import { nonsense, RemoteFailure } from "./failure.js";

/** Letters that have come together, of a token where the server tells them apart. */
export interface Piece {
  readonly text: string;
  readonly tokens: number;
  /** Of all of them, natural, at temperature 1. */
  readonly logProbability: number;
}

/** The last thing of a text. */
export interface TextEnd {
  /** stop: the model's end token. length: `maxTokens`, or the context's end. */
  readonly end: "stop" | "length";
  /** Drawn and without letters: the end token, if there was one. */
  readonly tokens: number;
}

/** What a server has read to go on from it. */
export interface PromptUse {
  readonly tokens: number;
  /** Those of them that were not in its cache; null: it does not say. */
  readonly computed: number | null;
}

export interface WriteOptions {
  readonly maxTokens: number;
  /** 31 bits. */
  readonly seed: number;
  readonly sampler: SamplerOptions;
  readonly onPrompt: (use: PromptUse) => void;
}

export interface LikelyTokens {
  /** The likeliest, with natural log-probabilities. */
  readonly tokens: readonly { readonly token: string; readonly logprob: number }[];
  readonly prompt: PromptUse;
}

/** As many as vLLM tells unless its operator says otherwise (--max-logprobs). */
export const mostLikely = 20;

const count = z.number().int().nonnegative();
const usageSchema = z.object({
  prompt_tokens: count,
  completion_tokens: count.nullish(),
  prompt_tokens_details: z.object({ cached_tokens: count.nullish() }).nullish(),
});
type Usage = z.output<typeof usageSchema>;

const tokenSchema = z.object({ token: z.string(), logprob: z.number() });
/** OpenAI's lists; llama.cpp's completions have the shape of OpenAI's chats. */
const logprobsSchema = z.union([
  z.object({ content: z.array(tokenSchema.extend({ top_logprobs: z.array(tokenSchema).default([]) })) }),
  z.object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().nullable()),
    top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullish(),
  }),
]);
type Logprobs = z.output<typeof logprobsSchema>;

const answerSchema = z.object({
  error: z.union([z.string(), z.object({ message: z.string() })]).optional(),
  choices: z
    .array(z.object({ text: z.string(), logprobs: logprobsSchema.nullish(), finish_reason: z.string().nullish() }))
    .default([]),
  usage: usageSchema.nullish(),
  /** llama.cpp's, before the first token. */
  prompt_progress: z.object({ total: count, cache: count }).optional(),
});
type Answer = z.output<typeof answerSchema>;

export class Completions {
  constructor(
    readonly endpoint: Endpoint,
    readonly model: string,
    /** llama.cpp's server, which can do a little more. */
    readonly isLlamaCpp: boolean,
  ) {}

  /** What the prompt is to the server, which then has it in its cache. @throws {ThinkTreeError} REMOTE_FAILED, CONTEXT_EXCEEDED */
  async measure(prompt: string, signal: AbortSignal): Promise<PromptUse> {
    const use = useIn(this.answerOf(await this.once(prompt, {}, signal)));
    if (use !== null) return use;
    throw nonsense(this.endpoint.address, "does not tell the usage of a completion");
  }

  /** What may come next. @throws {ThinkTreeError} REMOTE_FAILED, CONTEXT_EXCEEDED */
  async next(prompt: string, signal: AbortSignal): Promise<LikelyTokens> {
    const answer = this.answerOf(await this.once(prompt, { logprobs: mostLikely }, signal));
    const logprobs = answer.choices[0]?.logprobs;
    const tokens = logprobs == null ? [] : likeliestOf(logprobs);
    if (tokens.length === 0) throw withoutLogprobs(this.endpoint.address);
    return { tokens, prompt: useIn(answer) ?? { tokens: 0, computed: null } };
  }

  /** One token, and all that the server says of it. @throws {ThinkTreeError} REMOTE_FAILED, CONTEXT_EXCEEDED */
  once(prompt: string, fields: object, signal: AbortSignal): Promise<unknown> {
    const body = { ...this.common(prompt, 1), temperature: 0, ...fields };
    return this.endpoint.post("/v1/completions", body, signal);
  }

  /**
   * A text as it is written, and its end. Who leaves before that hangs up, and the server writes no more.
   * @throws {ThinkTreeError} REMOTE_FAILED, CONTEXT_EXCEEDED
   */
  async *write(
    prompt: string,
    { maxTokens, seed, sampler, onPrompt }: WriteOptions,
    signal: AbortSignal,
  ): AsyncGenerator<Piece | TextEnd, void, undefined> {
    const body = {
      ...this.common(prompt, maxTokens),
      ...{ stream: true, stream_options: { include_usage: true }, logprobs: 1, seed },
      ...{ temperature: sampler.temperature, top_p: sampler.topP, min_p: sampler.minP },
      top_k: sampler.topK === 0 ? -1 : sampler.topK, // all, to every one of them
      ...(this.isLlamaCpp && { return_progress: true }),
    };
    let told = false;
    let counted = 0;
    let silent = { tokens: 0, logProbability: 0 }; // drawn, their letters are still to come
    let end: TextEnd["end"] | undefined;
    for await (const data of this.endpoint.events("/v1/completions", body, signal)) {
      const { choices, usage, prompt_progress: progress } = this.answerOf(data);
      const use = progress
        ? { tokens: progress.total, computed: progress.total - progress.cache }
        : usage && useOf(usage);
      if (use && !told) onPrompt(use);
      told ||= use != null;
      const [choice] = choices;
      for (const piece of choice ? this.piecesOf(choice.text, choice.logprobs) : []) {
        const tokens = silent.tokens + piece.tokens;
        const logProbability = silent.logProbability + piece.logProbability;
        silent = { tokens, logProbability };
        if (piece.text === "") continue;
        silent = { tokens: 0, logProbability: 0 };
        counted += tokens;
        yield { text: piece.text, tokens, logProbability };
      }
      if (choice?.finish_reason != null) end = choice.finish_reason === "stop" ? "stop" : "length";
      // It knows best how much it has written.
      const unseen = end === undefined ? 0 : (usage?.completion_tokens ?? 0) - counted;
      if (unseen > silent.tokens) silent = { ...silent, tokens: unseen };
    }
    if (end === undefined) {
      throw new RemoteFailure("REMOTE_FAILED", `${this.endpoint.address} ended its answer in the middle`, {});
    }
    yield { end, tokens: silent.tokens };
  }

  /** A server's own defaults would draw otherwise than the same search elsewhere. */
  private common(prompt: string, maxTokens: number) {
    return { model: this.model, prompt, max_tokens: maxTokens, repetition_penalty: 1 };
  }

  private piecesOf(text: string, logprobs: Logprobs | null | undefined): Piece[] {
    const tokens = logprobs == null ? [] : tokensOf(logprobs);
    if (tokens.map((token) => token.text).join("") === text) return tokens;
    if (tokens.length === 0) throw withoutLogprobs(this.endpoint.address);
    // A letter of several tokens, an end token that has none, or a token that is called otherwise than its letters.
    const logProbability = tokens.reduce((sum, token) => sum + token.logProbability, 0);
    return [{ text, tokens: tokens.length, logProbability }];
  }

  private answerOf(data: unknown): Answer {
    const answer = answerSchema.safeParse(data);
    const { address } = this.endpoint;
    if (!answer.success) throw nonsense(address, "answered with what is no completion", answer.error);
    const { error } = answer.data;
    if (error === undefined) return answer.data;
    const said = typeof error === "string" ? error : error.message;
    throw new RemoteFailure("REMOTE_FAILED", `${address} failed in the middle of a text: ${said}`, null);
  }
}

/** What an answer says of its prompt. */
export function useIn(answer: unknown): PromptUse | null {
  const { usage } = z.object({ usage: usageSchema.nullish() }).parse(answer);
  return usage == null ? null : useOf(usage);
}

function useOf({ prompt_tokens: tokens, prompt_tokens_details: details }: Usage): PromptUse {
  const cached = details?.cached_tokens;
  return { tokens, computed: cached == null ? null : tokens - cached };
}

function tokensOf(logprobs: Logprobs): Piece[] {
  const tokens =
    "content" in logprobs
      ? logprobs.content
      : logprobs.tokens.map((token, i) => ({ token, logprob: logprobs.token_logprobs[i] ?? 0 }));
  return tokens.map(({ token, logprob }) => ({ text: token, tokens: 1, logProbability: logprob }));
}

function likeliestOf(logprobs: Logprobs): { token: string; logprob: number }[] {
  if ("content" in logprobs) return logprobs.content[0]?.top_logprobs ?? [];
  return Object.entries(logprobs.top_logprobs?.[0] ?? {}).map(([token, logprob]) => ({ token, logprob }));
}

function withoutLogprobs(address: string): RemoteFailure {
  const mend = "without them steps cannot be told apart nor scores be read: have it serve logprobs";
  return new RemoteFailure("REMOTE_FAILED", `${address} does not tell the log-probabilities of tokens: ${mend}`, null);
}
