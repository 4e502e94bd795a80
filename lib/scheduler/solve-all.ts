/**
 * Many questions, one budget.
 *
 * Owns: who gets the next generations. Must not know: how one question is searched.
 *
 * Source: Damani et al. 2024 (arXiv 2410.04707): greedily, where the expected gain is largest. There the gain of one more
 * sample is lambda (1 - lambda)^(j - 1); here it is read off the policy's own curves, and their formula serves where a
 * policy has measured nothing.
 */
import { z } from "zod";

import type { EngineCore } from "../engine/engine-core.js";
import { parseOptions } from "../errors.js";
import { forEachOf } from "./at-once.js";
import { searchOptimally } from "./compute-optimal.js";
import { binsOf, expectedAccuracy, type Policy } from "./policy.js";
import { QuestionSearch } from "./question-search.js";
import { checkOptions, type Answer, type Decision, type SolveOptions } from "./solve-options.js";

/** As for `solve`, but for a strategy: here the policy decides. The seed of question i is seed + i. */
export interface SolveAllOptions extends Omit<SolveOptions, "budget" | "strategy" | "onProgress"> {
  readonly budget: {
    /** Of all questions together: at least one each. */
    readonly generations: number;
    /** From the call on. */
    readonly milliseconds?: number | undefined;
  };
  /** Questions under search at once. Default 16. */
  readonly concurrency?: number | undefined;
  readonly onAnswer?: ((answer: Answer, index: number) => void) | undefined;
}

const schema = z.object({
  budget: z.strictObject({
    generations: z.number().int().positive(),
    milliseconds: z.number().positive().optional(),
  }),
  concurrency: z.number().int().positive().default(16),
});

interface Asked {
  readonly search: QuestionSearch;
  /** What it may cost by now. */
  cap: number;
  decision: Decision;
}

/** @throws {ThinkTreeError} INVALID_OPTION, also for a budget of less than one generation a question */
export async function solveAll(
  engine: EngineCore,
  policy: Policy,
  questions: readonly string[],
  options: SolveAllOptions,
): Promise<Answer[]> {
  const { budget, concurrency } = parseOptions(
    schema.refine(({ budget }) => budget.generations >= questions.length, {
      path: ["budget", "generations"],
      message: `must be at least one a question: ${questions.length}`,
    }),
    options,
  );
  if (questions.length === 0) return [];
  const base = checkOptions({ ...options, budget: {} }, policy);
  const { estimate = policy.estimate, earlyStop } = base;
  const verified = engine.models.verifier !== undefined;
  const until = budget.milliseconds === undefined ? undefined : performance.now() + budget.milliseconds;
  const timeLeft = () => (until === undefined ? {} : { milliseconds: Math.max(1, until - performance.now()) });

  /** Every question's share of a look at all of them. */
  const first = Math.min(policy.probes, Math.floor(budget.generations / questions.length));
  const searches: QuestionSearch[] = [];
  const grow = async (search: QuestionSearch, cap: number): Promise<Asked> => {
    const settings = { policy, budget: { generations: cap }, estimate, earlyStop, verified };
    return { search, cap, decision: await searchOptimally(search, settings) };
  };
  try {
    let asked = await forEachOf(questions, concurrency, options.signal, async (question, i, signal) => {
      const own = { ...base, budget: timeLeft(), seed: base.seed + i, signal };
      const search = await QuestionSearch.open(engine, question, own);
      searches.push(search);
      return grow(search, first);
    });
    for (;;) {
      const spent = asked.reduce((sum, { search }) => sum + search.generations, 0);
      const caps = share(asked, policy, budget.generations - spent);
      if (caps.every((cap, i) => cap === asked[i]!.cap)) break;
      asked = await forEachOf(asked, concurrency, options.signal, (one, i) =>
        caps[i] === one.cap ? Promise.resolve(one) : grow(one.search, caps[i]!),
      );
    }
    return await Promise.all(
      asked.map(async ({ search, decision }, i) => {
        const answer = await search.answer({ name: "compute-optimal", options: { estimate } }, decision);
        options.onAnswer?.(answer, i);
        return answer;
      }),
    );
  } finally {
    await Promise.all(searches.map((search) => search[Symbol.asyncDispose]()));
  }
}

/** Gives the rest out, level by level, to whoever gains most a generation; a question that is sure gets nothing. */
function share(asked: readonly Asked[], policy: Policy, rest: number): number[] {
  const caps = asked.map(({ cap }) => cap);
  const gains = asked.map((one, i) => gainOf(one, policy, caps[i]!));
  for (let left = rest; ;) {
    let best = -1;
    for (const [i, gain] of gains.entries()) {
      const better = gain !== null && gain.each > 0 && gain.cost <= left && (best < 0 || gain.each > gains[best]!.each);
      if (better) best = i;
    }
    if (best < 0) return caps;
    left -= gains[best]!.cost;
    caps[best]! += gains[best]!.cost;
    gains[best] = gainOf(asked[best]!, policy, caps[best]!);
  }
}

interface Gain {
  /** Of accuracy, a generation. */
  readonly each: number;
  readonly cost: number;
}

/** The best rate at which a question's chance of being right can still grow: along the upper hull of its bin's curve. */
function gainOf({ search, decision }: Asked, policy: Policy, cap: number): Gain | null {
  if (decision.stopped !== null || search.exhausted || decision.bin === null) return null;
  const bin = binsOf(policy, decision.estimate)[decision.bin]!;
  const right = 1 - (decision.difficulty ?? 0.5);
  const expected = (n: number) => expectedAccuracy(bin, n) ?? 1 - (1 - right) ** n;
  const rates = bin.entries
    .map(({ budget }) => ({ each: (expected(budget) - expected(cap)) / (budget - cap), cost: budget - cap }))
    .filter(({ cost }) => cost > 0);
  return rates.reduce<Gain | null>((best, rate) => (best === null || rate.each > best.each ? rate : best), null);
}
