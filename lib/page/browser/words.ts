/**
 * What the page says: of a search under way, its answer, its cost, what went wrong.
 *
 * Owns: sentences and numbers' looks. Must not know: the document, the network.
 */
import type { AskError, Cost, Decision, Found, Progress } from "./completion-stream.js";

export function progressWords({ live, finished, bestScore }: Progress, rounds: number): string {
  const best = bestScore === null ? [] : [`best score ${bestScore.toFixed(2)}`];
  const growing = live > 0 ? [`${many(live, "branch", "branches")} growing`] : [];
  return [`Round ${rounds}`, ...growing, many(finished, "whole solution", "whole solutions"), ...best].join(", ");
}

/** How a search ended, where that is worth a word, and how much of it agrees. */
export function endWords({ answer, candidates, finishReason }: Found): string {
  const early = {
    complete: "",
    budget: "The budget is spent: this is the best answer so far. ",
    deadline: "The time is up: this is the best answer so far. ",
    stopped: "The server is ending: this is the best answer so far. ",
  }[finishReason];
  const same = candidates.filter((candidate) => candidate.answer === answer).length;
  const all = many(candidates.length, "solution", "solutions");
  return answer === null
    ? `${early}None of ${all} states an answer.`
    : `${early}${same} of ${all} ${same === 1 ? "says" : "say"} so.`;
}

const estimates: Readonly<Record<Decision["estimate"], string>> = {
  score: "the scores of its first solutions",
  agreement: "how far its first solutions agree",
  question: "the question alone",
};

const stops = { agreement: "the answers agree", share: "one answer has nearly all of the score" };

/** Why a compute-optimal search did what it did. */
export function decisionWords({ estimate, difficulty, bin, stopped, rounds }: Decision): string {
  const judged =
    difficulty === null
      ? "The budget paid for no look at how hard the question is."
      : `Difficulty ${difficulty.toFixed(2)} of 1${bin === null ? "" : `, the policy's bin ${bin + 1}`}, by ${estimates[estimate]}.`;
  const ran = rounds.map(({ strategy, generations }) => `${strategy} of ${generations}`).join(", then ");
  return `${judged} Ran ${ran}${stopped === null ? "" : ` and stopped: ${stops[stopped]}`}.`;
}

/** By the names that the page has for them. */
export function costWords(cost: Cost): Readonly<Record<string, string>> {
  return {
    Generated: tokens(cost.generatedTokens),
    Prefilled: tokens(cost.promptTokens),
    Verifier: tokens(cost.verifierPromptTokens + cost.verifierTokens),
    Time: timeWords(cost.milliseconds),
  };
}

export function timeWords(milliseconds: number): string {
  return milliseconds < 999.5 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}

/** What happened, and what to do. */
export function problemWords({ refusal }: AskError): string {
  const { status, code, message, retryAfter } = refusal;
  const again =
    retryAfter === null ? "Ask again in a moment." : `Ask again in ${many(retryAfter, "second", "seconds")}.`;
  if (status === 0) return "The connection to the server was lost. Check that it is running, then ask again.";
  if (status === 401) return "The server asks for an API key: enter one that it knows, then ask again.";
  if (status === 429) return `Too many searches are waiting. ${again}`;
  if (code === "overloaded") return `The server is busy, and the question has waited too long for its turn. ${again}`;
  if (code === "shutting_down" || code === "engine_closed") return `The server is ending or starting again. ${again}`;
  if (code === "context_length_exceeded") return "The question is too long for the models: shorten it, then ask again.";
  if (status === 503) return `The server takes no questions now. ${again}`;
  if (status < 500) return `The server refuses the question: ${message}.`;
  return `The server failed: ${message}. Ask again; if it fails again, its log says more.`;
}

function tokens(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "token" : "tokens"}`;
}

function many(count: number, one: string, more: string): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
}
