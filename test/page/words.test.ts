import { describe, expect, it } from "vitest";
import { AskError, type Found } from "../../lib/page/browser/completion-stream.js";
import { costWords, decisionWords, endWords, problemWords, progressWords } from "../../lib/page/browser/words.js";

const cost = {
  generatedTokens: 1_234,
  promptTokens: 1,
  verifierPromptTokens: 10,
  verifierTokens: 5,
  milliseconds: 999.6,
};

function found(more: Partial<Found>): Found {
  const candidates = [{ answer: "12" }, { answer: "12" }, { answer: "11" }];
  return {
    ...{ answer: "12", text: "A: 12", steps: [], candidates, decision: null, finishReason: "complete", ledger: cost },
    ...more,
  };
}

const problem = (status: number, code: string | null = null, retryAfter: number | null = null) =>
  problemWords(new AskError({ status, code, retryAfter, message: "n: it is too large" }));

describe("words", () => {
  it("tell how a search goes", () => {
    expect(progressWords({ ...cost, round: 1, live: 12, finished: 1, bestScore: 0.456 }, 3)).toBe(
      "Round 3, 12 branches growing, 1 whole solution, best score 0.46",
    );
    expect(progressWords({ ...cost, round: 1, live: 0, finished: 4, bestScore: null }, 1)).toBe(
      "Round 1, 4 whole solutions",
    );
  });

  it("tell how it ended, and how much of it agrees", () => {
    expect(endWords(found({}))).toBe("2 of 3 solutions say so.");
    expect(endWords(found({ answer: "11" }))).toBe("1 of 3 solutions says so.");
    expect(endWords(found({ finishReason: "deadline" }))).toMatch(/^The time is up: .* 2 of 3 solutions say so.$/);
    expect(endWords(found({ answer: null, candidates: [{ answer: null }] }))).toBe(
      "None of 1 solution states an answer.",
    );
  });

  it("tell why the policy chose", () => {
    const decision = { estimate: "score", difficulty: 0.256, bin: 1, stopped: null } as const;
    const rounds = [
      { strategy: "weighted-best-of-n", generations: 4 },
      { strategy: "beam", generations: 12 },
    ];
    expect(decisionWords({ ...decision, rounds })).toBe(
      "Difficulty 0.26 of 1, the policy's bin 2, by the scores of its first solutions. " +
        "Ran weighted-best-of-n of 4, then beam of 12.",
    );
    expect(decisionWords({ ...decision, difficulty: null, bin: null, stopped: "agreement", rounds })).toBe(
      "The budget paid for no look at how hard the question is. " +
        "Ran weighted-best-of-n of 4, then beam of 12 and stopped: the answers agree.",
    );
  });

  it("tell what a search costs, in its units", () => {
    expect(costWords(cost)).toEqual({
      ...{ Generated: "1,234 tokens", Prefilled: "1 token", Verifier: "15 tokens", Time: "1.0 s" },
    });
    expect(costWords({ ...cost, milliseconds: 999.4 })["Time"]).toBe("999 ms");
    expect(costWords({ ...cost, milliseconds: 61_250 })["Time"]).toBe("61.3 s");
  });

  it.each([
    [problem(0), /lost.*running/],
    [problem(401, "invalid_api_key"), /API key: enter one/],
    [problem(429, "queue_full", 7), /waiting. Ask again in 7 seconds/],
    [problem(503, "overloaded", 1), /busy.*Ask again in 1 second\./],
    [problem(500, "overloaded"), /busy.*Ask again in a moment/], // it came when the stream had begun
    [problem(503, "shutting_down", 5), /ending.*5 seconds/],
    [problem(503), /takes no questions now/],
    [problem(400, "context_length_exceeded"), /too long.*shorten/],
    [problem(400), /refuses the question: n: it is too large/],
    [problem(500, "decode_failed"), /failed: n: it is too large.*log/],
  ])("tell what went wrong, and what to do: %s", (words, expected) => {
    expect(words).toMatch(expected);
  });
});
