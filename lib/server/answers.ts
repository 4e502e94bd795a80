/**
 * From an answer to what OpenAI's clients expect: whole, or in chunks.
 *
 * Owns: these objects, and what is counted as prompt and completion.
 * Must not know: HTTP, searches.
 */
import { randomUUID } from "node:crypto";

import type { TreeNews } from "../report/recording.js";
import { answerJson } from "../scheduler/answer-json.js";
import type { Answer, Progress } from "../scheduler/solve-options.js";

/** What all parts of one response have in common. */
export interface Envelope {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  /** Changes with the models. */
  readonly system_fingerprint: string;
}

export function envelope(prefix: "chatcmpl" | "cmpl", model: string, system_fingerprint: string): Envelope {
  const id = `${prefix}-${randomUUID().replaceAll("-", "")}`;
  return { id, created: Math.floor(Date.now() / 1_000), model, system_fingerprint };
}

/**
 * Exact, off the ledger. Prompt: what the generator prefilled, once for all branches. Completion: what it generated, on all
 * branches, end tokens included; of that, what the first choice does not consist of is counted as reasoning.
 */
function usageOf({ ledger, steps }: Answer) {
  const { promptTokens, generatedTokens } = ledger;
  const shown = steps.reduce((sum, { tokens }) => sum + tokens, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: generatedTokens,
    total_tokens: promptTokens + generatedTokens,
    completion_tokens_details: { reasoning_tokens: Math.max(0, generatedTokens - shown) },
  };
}

/** A solution that no limit has cut short ended by itself. */
const reasonOf = ({ finished }: Answer["candidates"][number]) => (finished ? ("stop" as const) : ("length" as const));

interface Kind {
  whole(text: string, index: number, finish_reason: "stop" | "length"): object;
  /** `text` null: the last of this choice. */
  piece(text: string, index: number, finish_reason: "stop" | "length" | null): object;
  readonly object: string;
  readonly chunk: string;
}

export const chatKind: Kind = {
  object: "chat.completion",
  chunk: "chat.completion.chunk",
  whole: (content, index, finish_reason) => ({
    ...{ index, finish_reason, logprobs: null },
    message: { role: "assistant", content, refusal: null },
  }),
  piece: (content, index, finish_reason) => ({
    ...{ index, finish_reason, logprobs: null },
    delta: finish_reason === null ? { role: "assistant", content } : {},
  }),
};

export const completionKind: Kind = {
  object: "text_completion",
  chunk: "text_completion",
  whole: (text, index, finish_reason) => ({ index, text, logprobs: null, finish_reason }),
  piece: (text, index, finish_reason) => ({ index, text, logprobs: null, finish_reason }),
};

export function wholeAnswer(kind: Kind, head: Envelope, answer: Answer, choices: number): object {
  return {
    ...head,
    object: kind.object,
    choices: answer.candidates
      .slice(0, choices)
      .map((candidate, index) => kind.whole(candidate.text, index, reasonOf(candidate))),
    usage: usageOf(answer),
    thinktree: answerJson(answer),
  };
}

/** A chunk a step of each choice, then one that ends it; the last of all tells what the search was, and what it cost. */
export function* chunksOf(kind: Kind, head: Envelope, answer: Answer, choices: number, withUsage: boolean) {
  const common = { ...head, object: kind.chunk, ...(withUsage && { usage: null }) };
  const best = answer.candidates.slice(0, choices);
  for (const [index, candidate] of best.entries()) {
    const pieces = candidate.steps.length > 0 ? candidate.steps.map(({ text }) => text) : [candidate.text];
    for (const text of pieces) yield { ...common, choices: [kind.piece(text, index, null)] };
    const last = kind.piece("", index, reasonOf(candidate));
    const told = index === best.length - 1 && { thinktree: answerJson(answer) };
    yield { ...common, choices: [last], ...told };
  }
  if (withUsage) yield { ...common, choices: [], usage: usageOf(answer) };
}

/** What there is to tell of a search before its answer. */
export interface News {
  readonly progress?: Progress | undefined;
  readonly tree?: TreeNews | undefined;
}

/** A chunk that adds nothing to any text. */
export function newsChunk(kind: Kind, head: Envelope, { progress, tree }: News, withUsage: boolean): object {
  const nothing = kind.piece("", 0, null);
  return {
    ...{ ...head, object: kind.chunk, choices: [nothing], ...(withUsage && { usage: null }) },
    thinktree: { ...(progress && { progress: progressJson(progress) }), ...(tree && { tree }) },
  };
}

export function progressJson({ round, live, finished, bestScore, ledger }: Progress) {
  const { generatedTokens, promptTokens, verifierPromptTokens, verifierTokens, milliseconds } = ledger;
  const cost = { generatedTokens, promptTokens, verifierPromptTokens, verifierTokens, milliseconds };
  return { round, live, finished, bestScore, ...cost };
}
