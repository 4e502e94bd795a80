/**
 * Many questions, one budget.
 *
 * Owns: the order look at all, share out what is left, go on; that no cap is passed, however the shares turn out: all
 * trees spend tokens and operations from one account of the engine.
 * Must not know: who gets the next generations, how one question is searched.
 */
import { z } from "zod";

import type { Ledger } from "../engine/addon.js";
import type { Core } from "../engine/core.js";
import { parseOptions } from "../errors.js";
import { forEachOf } from "./at-once.js";
import { pursesOf, type Budget } from "./budget.js";
import { searchOptimally } from "./compute-optimal.js";
import type { Policy } from "./policy.js";
import { QuestionSearch } from "./question-search.js";
import { evenly, greedily, type Contender, type Share } from "./shares.js";
import { checkOptions, type Answer, type SolveOptions } from "./solve-options.js";

/** As for `solve`, but for a strategy: here the policy decides. The seed of question i is seed + i. */
export interface SolveAllOptions extends Omit<SolveOptions, "budget" | "strategy" | "onProgress" | "watch"> {
  /**
   * Hard caps on the sums over all questions: any of them, at least one, and no less than a generation or a token a
   * question. One endless solution takes from all others: see `maxLength`.
   */
  readonly budget: Budget;
  /** Questions under search at once. Default 16. */
  readonly concurrency?: number | undefined;
  readonly onAnswer?: ((answer: Answer, index: number) => void) | undefined;
}

function schemaFor(questions: number, tokenFlops: number) {
  const oneEach = z.number().int().positive().min(questions, `must be at least one a question: ${questions}`);
  const flops = questions * tokenFlops;
  return z.object({
    budget: z
      .strictObject({
        generations: oneEach.optional(),
        tokens: oneEach.optional(),
        flops: z.number().positive().min(flops, `must pay for a token a question: ${flops}`).optional(),
        milliseconds: z.number().positive().optional(),
      })
      .refine((budget) => Object.values(budget).some((cap) => cap !== undefined), {
        message: "must name one of generations, tokens, flops and milliseconds",
      }),
    concurrency: z.number().int().positive().default(16),
  });
}

interface Asked extends Contender {
  readonly search: QuestionSearch;
  readonly ledger: Ledger;
  /** Operations that its prompt has cost. */
  readonly prefill: number;
}

/** @throws {ThinkTreeError} INVALID_OPTION, also for a budget of less than a generation or a token a question */
export async function solveAll(
  engine: Core,
  policy: Policy,
  questions: readonly string[],
  options: SolveAllOptions,
): Promise<Answer[]> {
  const { generator, verifier } = engine.models;
  const { budget, concurrency } = parseOptions(schemaFor(questions.length, 2 * generator.parameters), options);
  if (questions.length === 0) return [];
  const base = checkOptions({ ...options, budget: {} }, policy);
  const { signal, earlyStop, estimate = policy.estimate } = base;
  const begun = performance.now();
  const elapsed = () => performance.now() - begun;
  const { tokens, flops, milliseconds } = budget;
  /** What a tree that is opened now may cost, with all others. */
  const treeBudget = () =>
    milliseconds === undefined
      ? { tokens, flops }
      : { tokens, flops, milliseconds: Math.max(1, milliseconds - elapsed()) };
  const prefillOf = ({ promptTokens, verifierPromptTokens }: Ledger) =>
    2 * (generator.parameters * promptTokens + (verifier?.parameters ?? 0) * verifierPromptTokens);

  const account = engine.newAccount();
  const searches: QuestionSearch[] = [];
  const grow = async (search: QuestionSearch, cap: number, before?: Asked): Promise<Asked> => {
    const settings = { policy, budget: { generations: cap }, estimate, earlyStop, verified: verifier !== undefined };
    const decision = await searchOptimally(search, settings);
    const { generations, ledger } = await search.spending();
    const prefill = before?.prefill ?? prefillOf(ledger);
    return { search, cap, decision, generations, ledger, prefill, over: decision.stopped !== null || search.exhausted };
  };
  try {
    // What a generation takes of other caps is not known before each question has one.
    const onlyGenerations = [tokens, flops, milliseconds].every((cap) => cap === undefined);
    const first = onlyGenerations ? Math.min(policy.probes, Math.floor(budget.generations! / questions.length)) : 1;
    let asked = await forEachOf(questions, concurrency, signal, async (question, i, signal) => {
      const own = { ...base, budget: treeBudget(), seed: base.seed + i, signal };
      const search = await QuestionSearch.open(engine, question, own, account);
      searches.push(search);
      return grow(search, first);
    });
    const goOn = async (share: Share): Promise<boolean> => {
      const caps = share(asked, pursesOf(budget, asked, elapsed()), policy);
      if (caps.every((cap, i) => cap === asked[i]!.cap)) return false;
      asked = await forEachOf(asked, concurrency, signal, (one, i) =>
        caps[i] === one.cap ? Promise.resolve(one) : grow(one.search, caps[i]!, one),
      );
      return true;
    };
    for (const share of [evenly, greedily]) while (await goOn(share));
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
