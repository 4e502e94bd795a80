/**
 * An answer for programs: what --json prints and the server sends.
 *
 * Owns: the shape, which is stable; fields may be added.
 * Must not know: terminals.
 */
import type { Answer } from "./solve-options.js";

export interface AnswerJson {
  /** The final answer; null if the solution states none. */
  readonly answer: string | null;
  /** The chosen solution, its steps joined. */
  readonly text: string;
  readonly steps: readonly StepJson[];
  /** Of the chosen solution, in [0, 1]; null without a verifier. */
  readonly score: number | null;
  /** Best first; the first is the chosen one. */
  readonly candidates: readonly CandidateJson[];
  readonly strategy: { readonly name: string; readonly options: Readonly<Record<string, unknown>> };
  /** What a search without --strategy decided; null with it. */
  readonly decision: Answer["decision"];
  /** complete, or what ended the search early: budget (--max-tokens), deadline (--time), stopped (a signal). */
  readonly finishReason: Answer["finishReason"];
  /** The sizes of the strategies that ran. */
  readonly generations: number;
  /** Gives the same choices again with --seed. */
  readonly seed: number;
  /** Counts of tokens and KV cells, milliseconds, floating-point operations: see Ledger in lib/engine/addon.ts. */
  readonly ledger: Answer["ledger"];
}

export interface StepJson {
  readonly text: string;
  /** The verifier's, in [0, 1]; null if the step was not scored. */
  readonly score: number | null;
  readonly tokens: number;
  /** Of the step under the generator (natural log, temperature 1). */
  readonly logProbability: number;
}

export interface CandidateJson {
  readonly answer: string | null;
  readonly text: string;
  readonly score: number | null;
  /** What it was ranked by: votes, its own score, or the summed scores of its answer. */
  readonly weight: number;
  /** False for a partial solution. */
  readonly finished: boolean;
  /** What the guards found: repeated-step, empty-step, too-short. Flagged candidates rank last. */
  readonly flags: readonly string[];
  readonly steps: readonly StepJson[];
}

/** Field by field, so that what the library adds to its own types does not leak into a format that others parse. */
export function answerJson(found: Answer): AnswerJson {
  const { answer, text, score, strategy, decision, finishReason, generations, seed, ledger } = found;
  return {
    answer,
    text,
    steps: stepsJson(found.steps),
    score,
    candidates: found.candidates.map(({ answer, text, score, weight, finished, steps, flags }) => ({
      answer,
      text,
      score,
      weight,
      finished,
      flags,
      steps: stepsJson(steps),
    })),
    strategy: { name: strategy.name, options: strategy.options },
    decision,
    finishReason,
    generations,
    seed,
    ledger,
  };
}

function stepsJson(steps: Answer["steps"]): StepJson[] {
  return steps.map(({ text, score, tokens, logProbability }) => ({ text, score, tokens, logProbability }));
}
