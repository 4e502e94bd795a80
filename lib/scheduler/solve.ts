/**
 * One question, from text to answer.
 *
 * Owns: budget, deadline, stop and cancellation around a strategy; the answer's shape.
 * Must not know: any one strategy's insides, tokens' ids, KV cells.
 */
import { z } from "zod";

import type { EngineCore } from "../engine/engine-core.js";
import type { Ledger } from "../engine/addon.js";
import type { Step } from "../engine/search-tree.js";
import { parseOptions, ThinkTreeError } from "../errors.js";
import { strategyWithin, type RoundReport, type Strategy } from "../strategies/index.js";
import { answerExtractor } from "../verifiers/answer.js";
import type { Candidate } from "../verifiers/selection.js";
import { aggregationOf, promptFor, recipeOf } from "./recipe.js";

/** Hard caps on one search. */
export interface Budget {
  /** Whole solutions' worth of text: chooses the strategy's size where no strategy is given. Default 16. */
  readonly generations?: number | undefined;
  /** Generated tokens. */
  readonly tokens?: number | undefined;
  /** From the call on. The best answer so far is returned. */
  readonly milliseconds?: number | undefined;
}

export interface SolveOptions {
  /** A number means generations. */
  readonly budget?: number | Budget | undefined;
  /** Default: beam search within the budget, or majority vote without a verifier. */
  readonly strategy?: Strategy | undefined;
  /** An integer from 0 to 2^53 - 1; the same seed makes the same choices. Default: a random one. */
  readonly seed?: number | undefined;
  /** Of the generator's sampling; a strategy's own setting wins. Defaults: 0.8, 0, 1, 0 (off). */
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  /** Tokens of one solution at most; default: what the context holds. */
  readonly maxLength?: number | undefined;
  /** Cancels: the promise rejects with CANCELLED and nothing is held. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the search now, with the best answer so far. */
  readonly stop?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Progress extends RoundReport {
  readonly ledger: Ledger;
}

export interface Answer {
  /** The final answer; null if no candidate has one. */
  readonly answer: string | null;
  /** The chosen solution. */
  readonly text: string;
  readonly steps: readonly Step[];
  readonly score: number | null;
  /** Best first; the first is the chosen one. */
  readonly candidates: readonly Candidate[];
  readonly strategy: { readonly name: string; readonly options: Readonly<Record<string, unknown>> };
  /** complete: the strategy ran to its end. budget, deadline, stopped: it was ended, and this is the best so far. */
  readonly finishReason: "complete" | "budget" | "deadline" | "stopped";
  readonly seed: number;
  readonly ledger: Ledger;
}

const usualGenerations = 16;
const usualTemperature = 0.8;
const count = z.number().int().positive();

const budgetSchema = z.strictObject({
  generations: count.optional(),
  tokens: count.optional(),
  milliseconds: z.number().positive().optional(),
});

const schema = z.object({
  budget: z.union([count.transform((generations) => ({ generations })), budgetSchema]).default({}),
  seed: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).optional(),
  temperature: z.number().min(0).max(100).default(usualTemperature),
  topK: z.number().int().min(0).default(0),
  topP: z.number().gt(0).max(1).default(1),
  minP: z.number().min(0).lt(1).default(0),
  maxLength: count.optional(),
});

/** @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, INVALID_OPTION, NO_VERIFIER, CANCELLED, ENGINE_CLOSED, DECODE_FAILED */
export async function solve(engine: EngineCore, question: string, options: SolveOptions = {}): Promise<Answer> {
  const { budget, seed = randomSeed(), temperature, topK, topP, minP, maxLength } = parseOptions(schema, options);
  const { generations, tokens, milliseconds } = budgetSchema.parse(budget);
  if (question.trim() === "") throw new ThinkTreeError("EMPTY_PROMPT", "the question is empty");
  const strategy = options.strategy ?? usualStrategy(engine, generations ?? usualGenerations);
  if (generations !== undefined && strategy.generations > generations) {
    throw new ThinkTreeError(
      "INVALID_OPTION",
      `${strategy.name} costs ${strategy.generations} generations, the budget is ${generations}: lower its n`,
    );
  }

  const recipe = recipeOf(engine.models.generator);
  const verifier = engine.models.verifier;
  const verifierTemplate = verifier === undefined ? "" : recipeOf(verifier).promptTemplate;
  const tree = await engine.openTree({
    prompt: promptFor(question, recipe.promptTemplate),
    verifierPrompt: promptFor(question, verifierTemplate),
    seed,
    tokenBudget: tokens,
    deadlineMs: milliseconds,
    maxLength,
    delimiter: recipe.stepDelimiter,
    finalPrefix: recipe.answerPrefix,
    stop: recipe.stop,
    sampler: { temperature, topK, topP, minP },
    signal: options.signal,
  });
  const stopNow = () => tree.stop();
  if (options.stop?.aborted) stopNow();
  options.stop?.addEventListener("abort", stopNow, { once: true });
  const begun = performance.now();
  let ledger: Ledger | undefined;
  try {
    const candidates = await strategy.search(tree, {
      aggregation: verifier && aggregationOf(verifier),
      answerOf: answerExtractor({ answerPrefix: recipe.answerPrefix }),
      ...(options.onProgress && { onRound: reporter(tree.ledger.bind(tree), options.onProgress) }),
    });
    ledger = await tree.close();
    const [best] = candidates;
    if (best === undefined) throw new ThinkTreeError("INTERNAL", `${strategy.name} returned no candidate`);
    const { answer, text, steps, score } = best;
    const { name, options: strategyOptions } = strategy;
    const finishReason = !tree.exhausted
      ? "complete"
      : options.stop?.aborted
        ? "stopped"
        : milliseconds !== undefined && performance.now() - begun >= milliseconds
          ? "deadline"
          : "budget";
    return {
      answer,
      text,
      steps,
      score,
      candidates,
      strategy: { name, options: strategyOptions },
      finishReason,
      seed,
      ledger,
    };
  } finally {
    options.stop?.removeEventListener("abort", stopNow);
    if (ledger === undefined) await tree.close().catch(() => undefined);
  }
}

function usualStrategy(engine: EngineCore, generations: number): Strategy {
  return strategyWithin(generations, engine.models.verifier === undefined ? "majority" : "beam");
}

/** Rounds are told with what they have cost; the ledger comes a moment later and must not hold the search up. */
function reporter(readLedger: () => Promise<Ledger>, onProgress: (progress: Progress) => void) {
  return (round: RoundReport) => {
    readLedger().then(
      (ledger) => onProgress({ ...round, ledger }),
      () => undefined, // closed meanwhile: the last round needs no report, the answer is there
    );
  };
}

function randomSeed(): number {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}
