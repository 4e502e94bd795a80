/** The pages and the progress line, from made-up answers. */
import picocolors from "picocolors";
import { describe, expect, it } from "vitest";
import { answerView } from "../../lib/cli/answer-view.js";
import { failureOf } from "../../lib/cli/failures.js";
import { progressLine } from "../../lib/cli/progress-view.js";
import { Workers } from "../../lib/cli/queue-flag.js";
import { duration } from "../../lib/cli/values.js";
import { ThinkTreeError } from "../../lib/errors.js";
import type { Answer, Engine, GuardedCandidate } from "../../lib/index.js";

const paper = { columns: 80, colors: picocolors.createColors(false) };

const ledger: Answer["ledger"] = {
  promptTokens: 81,
  generatedTokens: 1264,
  coalescedTokens: 2010,
  verifierPromptTokens: 81,
  verifierTokens: 1128,
  referenceTokens: 0,
  recomputedTokens: 0,
  kvCellsPeak: 278,
  verifierKvCellsPeak: 278,
  treeTokensPeak: 294,
  speculatedTokens: 0,
  speculatedKept: 0,
  draftTokens: 0,
  milliseconds: 1231.1,
  flops: 5217618432,
};

function candidate(answer: string | null, score: number | null, weight: number, finished = true): GuardedCandidate {
  const texts = ["17+26=43\n", `A: ${answer}\n`];
  const steps = texts.map((text) => ({ text, tokens: 9, logProbability: -0.1, score }));
  return {
    answer,
    score,
    weight,
    finished,
    finishReason: finished ? "end" : "deadline",
    text: texts.join(""),
    steps,
    flags: [],
  };
}

function answer(candidates: GuardedCandidate[], parts: Partial<Answer> = {}): Answer {
  const [best] = candidates;
  const strategy = { name: "beam", options: { n: 16, beamWidth: 4, aggregation: "min", maxRounds: 40 } };
  return {
    ...best!,
    candidates,
    strategy,
    decision: null,
    finishReason: "complete",
    generations: 16,
    seed: 7,
    ledger,
    ...parts,
  };
}

const page = (found: Answer, columns = 80) => answerView(found, { ...paper, columns }).join("\n");

describe("answerView", () => {
  it("shows the solution, the answers it was chosen from, and the cost", () => {
    expect(page(answer([candidate("43", 0.98, 1.9), candidate("43", 0.92, 1.9), candidate("42", 0.04, 0.04)])))
      .toMatchInlineSnapshot(`
      "
        ████████ 0.980  17+26=43
        ████████ 0.980  A: 43

        Answer  43

        Answers               weight   solutions    best score
        43                     1.900           2         0.980
        42                     0.040           1         0.040

        search     beam, n 16, beam width 4, aggregation min, seed 7
        generator  81 prompt + 1,264 generated tokens (2,010 shared), 278 KV cells
        verifier   81 prompt + 1,128 scored tokens, 278 KV cells
        tree       294 distinct tokens at peak, 0 recomputed
        cost       1.23 s, 1,027 tokens/s, 5.22 GFLOP"
    `);
  });

  it("leaves out scores and the verifier where there is none", () => {
    const found = answer([candidate("43", null, 2), candidate("43", null, 2)], {
      strategy: { name: "majority", options: { n: 2 } },
      ledger: { ...ledger, verifierPromptTokens: 0, verifierTokens: 0 },
    });
    expect(page(found)).toMatch(/^\n {2}17\+26=43\n {2}A: 43\n\n {2}Answer {2}43\n/);
    expect(page(found)).not.toContain("verifier");
  });

  it("tells what was decoded on speculation", () => {
    const drafted = { ...ledger, speculatedTokens: 400, speculatedKept: 300, draftTokens: 1481 };
    const shown = page(answer([candidate("43", 0.98, 1.9)], { ledger: drafted }));
    expect(shown).toMatch(/\n {2}speculated +400 tokens decoded on speculation, 300 of them kept\n/);
    expect(shown).toMatch(/\n {2}draft +1,481 tokens decoded by the draft model\n/);
  });

  it("says why there is no answer, or an early one", () => {
    expect(page(answer([candidate(null, 0.5, 0)]))).toMatch(
      /Answer {2}none {2}\(the solution states no final answer\)/,
    );
    expect(page(answer([candidate(null, 0.5, 0, false)], { finishReason: "stopped" }))).toMatch(
      /none {2}\(stopped: the best so far; the solution is unfinished\)/,
    );
    expect(
      page(answer([{ ...candidate(null, null, 0, false), steps: [] }], { finishReason: "deadline", steps: [] })),
    ).toMatch(/none {2}\(time is up: the best so far; nothing was written yet\)/);
    expect(page(answer([candidate("43", 0.5, 1)], { finishReason: "budget" }))).toMatch(
      /43 {2}\(the token budget is spent: the best so far\)/,
    );
  });

  it("shows five answers at most, and counts the solutions without one", () => {
    const many = Array.from({ length: 8 }, (_, i) => candidate(String(i), 0.5, 0.5));
    const text = page(answer([...many, candidate(null, 0.1, 0)]));
    expect(text).toMatch(/^ {2}4 .*\n {2}and 3 more\n {2}none +1$/m);
  });

  it("wraps long steps beside their scores, and keeps to the width", () => {
    const long = {
      ...candidate("x".repeat(200), 0.9, 0.9),
      steps: [{ text: "word ".repeat(60), tokens: 60, logProbability: -9, score: 0.9 }],
    };
    for (const columns of [60, 80, 100]) {
      const lines = page(answer([long, candidate("1", 0.1, 0.1)]), columns).split("\n");
      expect(lines[1]).toMatch(/^ {2}███████░ 0\.900 {2}word word/);
      expect(lines[2]).toMatch(/^ {18}word word/);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    }
  });
});

describe("progressLine", () => {
  const search = { round: 5, live: 1024, finished: 0, bestScore: null, tokens: 2400 };
  const moment = { frame: 0, label: "beam", elapsedMs: 3_000, search };

  it("tells the round, the live branches, the rate and the time", () => {
    expect(progressLine(moment, paper)).toBe("  ⠋ beam · round 5 · 1,024 live · 800 tokens/s · 3.00 s");
    expect(progressLine({ ...moment, search: { ...search, finished: 3, bestScore: 0.9751 } }, paper)).toBe(
      "  ⠋ beam · round 5 · 1,024 live · 3 done · best 0.975 · 800 tokens/s · 3.00 s",
    );
  });

  it("tells the time alone while models load, and no rate of an instant", () => {
    expect(progressLine({ frame: 1, label: "loading", elapsedMs: 20 }, paper)).toBe("  ⠙ loading · 0.02 s");
    expect(progressLine({ ...moment, elapsedMs: 20 }, paper)).not.toContain("tokens/s");
  });

  it("asks for the note of many parts whenever it is drawn", () => {
    const parts = { done: 1, total: 4, remainingMs: null };
    const line = (note: string | (() => string)) =>
      progressLine({ frame: 0, label: "work", elapsedMs: 20, parts: { ...parts, note } }, paper);
    expect(line(() => "2 listening")).toBe(line("2 listening"));
    expect(line(() => "")).not.toContain("· ·");
  });

  it("fits any width", () => {
    for (let columns = 4; columns < 100; columns++) {
      expect(progressLine(moment, { ...paper, columns }).length).toBeLessThan(columns);
    }
  });
});

describe("Workers", () => {
  const told = (listening: number, done: Readonly<Record<string, number>>) => {
    const workers = new Workers({ redis: "redis://host", queue: "q" });
    const { onWorkers, redis, queue } = workers.options({ engine: {} as Engine })!;
    expect({ redis: redis.url, queue }).toEqual({ redis: "redis://host", queue: "q" });
    onWorkers({ listening, done: new Map(Object.entries(done)) });
    return workers.note("50.0% right");
  };

  it("tells who has done how much, the busiest first and the others as a number", () => {
    expect(told(0, {})).toBe("50.0% right, no worker is listening");
    expect(told(2, { a: 3, b: 1_200 })).toBe("50.0% right, 2 listening, b 1,200, a 3");
    expect(told(5, { a: 5, b: 4, c: 3, d: 2, e: 1, f: 1 })).toMatch(/, d 2, 2 others$/);
  });

  it("is silent where this process does the work", () => {
    const workers = new Workers({});
    expect(workers.options({ engine: {} as Engine })).toBeUndefined();
    expect(workers.note("50.0% right")).toBe("50.0% right");
  });
});

describe("failureOf", () => {
  it("blames the caller for what the caller can mend, in the words of the flags", () => {
    const error = new ThinkTreeError("INVALID_OPTION", "n must be a multiple of beamWidth\nand topP is odd");
    expect(failureOf(error)).toEqual({ line: "n must be a multiple of --beam-width and --top-p is odd", exitCode: 2 });
  });

  it("takes everything else for unexpected", () => {
    for (const error of [new ThinkTreeError("DECODE_FAILED", "boom"), new Error("boom"), "boom"]) {
      expect(failureOf(error)).toMatchObject({ line: "unexpected error: boom", exitCode: 1 });
      expect(failureOf(error).hint).toContain("THINKTREE_DEBUG");
    }
  });
});

describe("duration", () => {
  it("reads milliseconds, seconds and minutes", () => {
    expect(["500", "500ms", "2s", "1.5s", "1m", "0.5 m"].map(duration)).toEqual([
      500, 500, 2_000, 1_500, 60_000, 30_000,
    ]);
  });

  it.each(["", "0", "-1s", "2h", "s", "1e3", "soon"])("refuses %j", (text) => {
    expect(() => duration(text)).toThrow("Use a span of time");
  });
});
