/**
 * An engine whose searches do what a test says, for tests of the server.
 *
 * Owns: the searches that wait to be ended, a plausible answer. Must not know: HTTP.
 */
import type { EngineStats, Ledger, LoadedModels } from "../../lib/engine/addon.js";
import { ThinkTreeError } from "../../lib/errors.js";
import type { Question } from "../../lib/scheduler/conversation.js";
import type { Answer, SolveOptions } from "../../lib/scheduler/solve-options.js";
import type { SearchEngine } from "../../lib/server/searches.js";

const ledger: Ledger = {
  ...{ promptTokens: 10, generatedTokens: 40, coalescedTokens: 3, verifierPromptTokens: 12, verifierTokens: 38 },
  ...{ recomputedTokens: 0, kvCellsPeak: 50, verifierKvCellsPeak: 50, treeTokensPeak: 50, speculatedTokens: 0 },
  ...{ speculatedKept: 0, draftTokens: 0, referenceTokens: 0, milliseconds: 5, flops: 1e9 },
};

function candidate(text: string, finished = true): Answer["candidates"][number] {
  const steps = text.split(/(?<=\n)/).map((text) => ({ text, tokens: 5, logProbability: -1, score: 0.5 }));
  const finishReason = finished ? ("end" as const) : ("budget" as const);
  return { text, steps, answer: "19", score: 0.5, weight: 1, finished, finishReason, flags: [] };
}

export function answerOf(texts: readonly string[] = ["4*6=24\n24-5=19\n", "A: 19\n"], finished = true): Answer {
  const candidates = texts.map((text) => candidate(text, finished));
  const { answer, text, steps, score } = candidates[0]!;
  return {
    ...{ answer, text, steps, score, candidates, decision: null, generations: 16, seed: 1, ledger },
    strategy: { name: "beam", options: { n: 16 } },
    finishReason: finished ? "complete" : "deadline",
  };
}

export interface Search {
  readonly question: Question;
  readonly options: SolveOptions;
  readonly end: (answer?: Answer) => void;
  readonly fail: (error: Error) => void;
}

export class ScriptedEngine implements SearchEngine {
  /** Those under way. */
  readonly searches: Search[] = [];
  readonly fingerprints = { generator: "a", verifier: "b" };
  readonly models = { generator: { positions: 1_000 }, verifier: {} } as LoadedModels;
  private arrival: (() => void) | undefined;

  /** `atOnce`: searches end as soon as they begin. */
  constructor(private readonly atOnce?: Answer) {}

  solve(question: Question, options: SolveOptions = {}): Promise<Answer> {
    if (this.atOnce !== undefined) return Promise.resolve(this.atOnce);
    return new Promise<Answer>((resolve, reject) => {
      const { signal, stop } = options;
      const leave = () => void this.searches.splice(this.searches.indexOf(search), 1);
      const end = (answer = answerOf()) => (leave(), resolve(answer));
      const fail = (error: Error) => (leave(), reject(error));
      const search: Search = { question, options, end, fail };
      this.searches.push(search);
      signal?.addEventListener("abort", () => fail(new ThinkTreeError("CANCELLED", "the search was cancelled")));
      stop?.addEventListener("abort", () => end({ ...answerOf(undefined, false), finishReason: "stopped" }));
      this.arrival?.();
    });
  }

  stats(): EngineStats {
    const none = { prefillMs: 0, decodeMs: 0, sampleMs: 0, planMs: 0, verifyMs: 0, draftMs: 0, idleMs: 0, decodes: 0 };
    const nothing = { decodedTokens: 0, verifierDecodes: 0, verifierTokens: 0, draftDecodes: 0, draftTokens: 0 };
    const reference = { referenceDecodes: 0, referenceTokens: 0, referenceKvCells: 0 };
    const held = { kvCells: 0, verifierKvCells: 0, draftKvCells: 0, leases: 0, branches: 0, treeAttention: 0 };
    const counts = { searches: this.searches.length, deviceSampling: 0, progress: 0 };
    return { ...none, ...nothing, ...reference, ...held, ...counts };
  }

  /** Resolves when so many searches are under way. */
  async until(count: number): Promise<readonly Search[]> {
    while (this.searches.length < count) await new Promise<void>((resolve) => (this.arrival = resolve));
    return this.searches;
  }
}
