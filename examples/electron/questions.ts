/**
 * The engine behind the window.
 *
 * Owns: loading it, once, and again after it was lost; the question under way; errors in words.
 * Must not know: Electron.
 */
import { ThinkTreeError, type Answer, type Engine, type ErrorCode, type Ledger } from "thinktree";

import { BestSoFar } from "./best-so-far.js";
import type { Cost, Outcome, Progress } from "./contract.js";

const budget = { generations: 32, milliseconds: 60_000 };

export class Questions {
  readonly #load: () => Promise<Engine>;
  #engine: Promise<Engine> | undefined;
  #loaded: Engine | undefined;
  #underWay = new AbortController();

  constructor(load: () => Promise<Engine>) {
    this.#load = load;
  }

  /** So that the first question need not wait for it. An error is told to who asks. */
  warmUp(): void {
    this.#ready().catch(() => undefined);
  }

  async ask(question: string, onProgress: (progress: Progress) => void): Promise<Outcome> {
    this.cancel();
    const { signal } = (this.#underWay = new AbortController());
    // At once, also while the models still load; the search then ends by itself.
    const cancelled = new Promise<Outcome>((resolve) =>
      signal.addEventListener("abort", () => resolve({ kind: "cancelled" }), { once: true }),
    );
    const tell = (progress: Progress) => {
      if (!signal.aborted) onProgress(progress);
    };
    return Promise.race([cancelled, this.#search(question, signal, tell)]);
  }

  cancel(): void {
    this.#underWay.abort();
  }

  /** Resolves when the engine's process has ended. One that still loads is not waited for: it ends with the application. */
  async close(): Promise<void> {
    this.cancel();
    await this.#loaded?.close();
  }

  async #search(question: string, signal: AbortSignal, tell: (progress: Progress) => void): Promise<Outcome> {
    try {
      const engine = await this.#ready();
      const best = new BestSoFar();
      const answer = await engine.solve(question, {
        ...{ budget, signal, watch: best.watch },
        onProgress: ({ round, live, finished, ledger }) =>
          tell({ round, live, finished, ...best.now, cost: costOf(ledger) }),
      });
      return outcomeOf(answer);
    } catch (error) {
      if (!ThinkTreeError.isInstance(error)) throw error;
      if (error.code === "ENGINE_CLOSED") this.#engine = undefined; // it could not be kept alive: the next question loads anew
      return { kind: "problem", message: problemWords(error) };
    }
  }

  #ready(): Promise<Engine> {
    if (this.#engine !== undefined) return this.#engine;
    const loading = (this.#engine = this.#load());
    loading.then(
      (engine) => (this.#loaded = engine),
      () => (this.#engine = undefined), // the file may be there by the next question
    );
    return loading;
  }
}

function outcomeOf({ answer, steps, candidates, finishReason, ledger }: Answer): Outcome {
  const same = candidates.filter((candidate) => candidate.answer === answer).length;
  return {
    ...{ kind: "answer", answer, votes: [same, candidates.length], early: finishReason !== "complete" },
    steps: steps.map(({ text, score }) => ({ text: text.trimEnd(), score })),
    cost: costOf(ledger),
  };
}

function costOf({ generatedTokens, milliseconds }: Ledger): Cost {
  return { tokens: generatedTokens, milliseconds };
}

function problemWords({ code, message }: ThinkTreeError): string {
  return sentences[code]?.(message) ?? `${message}. Ask again; if it fails again, report it.`;
}

const stopped = (message: string) => `The engine has stopped and is started again: ask again. (${message})`;
const sentences: Partial<Record<ErrorCode, (message: string) => string>> = {
  EMPTY_PROMPT: () => "Type a question first.",
  CONTEXT_EXCEEDED: () => "The question is too long for the model: shorten it, then ask again.",
  MODEL_LOAD_FAILED: (message) => `The models could not be loaded: ${message}. Install the application again.`,
  ENGINE_CRASHED: stopped,
  ENGINE_HUNG: stopped,
  ENGINE_CLOSED: stopped,
};
