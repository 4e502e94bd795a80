/**
 * What a caller may ask of one search, and what comes back.
 *
 * Owns: the options' names, ranges and defaults; the answer's shape.
 * Must not know: how an answer is found.
 */
import { z } from "zod";

import type { Ledger } from "../engine/addon.js";
import type { Step } from "../engine/search-tree.js";
import { parseOptions } from "../errors.js";
import type { RoundReport, Strategy } from "../strategies/index.js";
import type { GuardedCandidate } from "../verifiers/guards.js";
import type { AnswerOf } from "../verifiers/solution.js";
import { budgetFields, budgetSchema, type Budget } from "./budget.js";
import { estimates, type Estimate } from "./difficulty.js";
import type { StopReason } from "./early-stop.js";
import type { Policy } from "./policy.js";

export interface SolveOptions {
  /** A number means generations. Default: 16 generations. */
  readonly budget?: number | Budget | undefined;
  /** Default: compute-optimal. The scheduler estimates how hard the question is and chooses within the budget. */
  readonly strategy?: Strategy | undefined;
  /** Compute-optimal: how difficulty is estimated. Default: as the policy says. */
  readonly estimate?: Estimate | undefined;
  /** Compute-optimal: end as soon as more solutions are unlikely to change the answer. Default true. */
  readonly earlyStop?: boolean | undefined;
  /** Repetitive, empty and absurdly short solutions rank last, whatever their scores. Default true. */
  readonly guards?: boolean | undefined;
  /** An integer from 0 to 2^53 - 1; the same seed makes the same choices. Default: a random one. */
  readonly seed?: number | undefined;
  /** Of the generator's sampling; a strategy's own setting wins. Defaults: as the policy says, 0, 1, 0 (off). */
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  /** Tokens of one solution at most; default: what the context holds. */
  readonly maxLength?: number | undefined;
  /** A solution ends before any of these texts too, besides the generator's own. Up to 16. Default: none. */
  readonly stopTexts?: readonly string[] | undefined;
  /**
   * Reads the final answer off a solution's text; null if there is none. Solutions with the same answer vote together.
   * Default: where the model's recipe says, else the last \boxed, "#### 42", "the answer is 42" or the like.
   */
  readonly answerOf?: AnswerOf | undefined;
  /** Cancels: the promise rejects with CANCELLED and nothing is held. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the search now, with the best answer so far. */
  readonly stop?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * Given each strategy before it runs, and what it returns explores in its place: to look on while the tree grows. Several
   * may run on one tree, one after the other. Ranking stays the strategy's own.
   */
  readonly watch?: ((strategy: Strategy) => Strategy) | undefined;
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
  readonly candidates: readonly GuardedCandidate[];
  readonly strategy: { readonly name: string; readonly options: Readonly<Record<string, unknown>> };
  /** What a compute-optimal search decided; null if the strategy was given. */
  readonly decision: Decision | null;
  /** complete: the search ran to its end. budget, deadline, stopped: it was ended, and this is the best so far. */
  readonly finishReason: "complete" | "budget" | "deadline" | "stopped";
  /** What the search could have cost at most, by the sizes of the strategies that ran. */
  readonly generations: number;
  readonly seed: number;
  readonly ledger: Ledger;
}

export interface Decision {
  readonly estimate: Estimate;
  /** 0 (easy) to 1 (hard), as last estimated; null if the budget paid for no estimate. */
  readonly difficulty: number | null;
  /** The difficulty's bin in the policy, from 0, the easiest. */
  readonly bin: number | null;
  /** Why it ended before the policy's size was used up; null if it was. */
  readonly stopped: StopReason | null;
  /** What ran, in order, the probes first. */
  readonly rounds: readonly { readonly strategy: string; readonly generations: number }[];
}

const count = z.number().int().positive();

const schema = z.object({
  budget: budgetSchema.default({}),
  estimate: z.enum(estimates).optional(),
  earlyStop: z.boolean().default(true),
  guards: z.boolean().default(true),
  seed: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).optional(),
  temperature: z.number().min(0).max(100),
  topK: z.number().int().min(0).default(0),
  topP: z.number().gt(0).max(1).default(1),
  minP: z.number().min(0).lt(1).default(0),
  maxLength: count.optional(),
  stopTexts: z.array(z.string().min(1)).max(16).default([]),
  answerOf: z.custom<AnswerOf>((value) => typeof value === "function", "a function of a text is wanted").optional(),
});

/** Options with every default in its place. */
export type CheckedOptions = ReturnType<typeof checkOptions>;

/** @throws {ThinkTreeError} INVALID_OPTION */
export function checkOptions(options: SolveOptions, policy: Pick<Policy, "temperature">) {
  const { temperature = policy.temperature } = options;
  const { budget, seed = randomSeed(), ...checked } = parseOptions(schema, { ...options, temperature });
  const { strategy, signal, stop, onProgress, watch } = options;
  return { ...checked, budget: budgetFields.parse(budget) as Budget, seed, strategy, signal, stop, onProgress, watch };
}

function randomSeed(): number {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}
