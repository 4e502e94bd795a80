/**
 * The compute-optimal search: look how hard the question is, then spend as the policy says.
 *
 * Owns: the order probe, estimate, choose, run, stop or go on.
 * Must not know: any one strategy's insides, tokens, where a policy comes from.
 *
 * Source: Snell et al. 2024, sec. 3. The paper leaves the cost of estimating out; here the probes count toward the
 * budget and their solutions stay in the competition.
 */
import { ThinkTreeError } from "../errors.js";
import { sizeWithin, strategyByName, type Strategy } from "../strategies/index.js";
import { usualGenerations, type Budget } from "./budget.js";
import { agreementDifficulty, questionDifficulty, scoreDifficulty, type Estimate } from "./difficulty.js";
import { reasonToStop, type StopReason } from "./early-stop.js";
import { binIndex, binsOf, choose, type Choice, type Policy } from "./policy.js";
import { sampling, type QuestionSearch } from "./question-search.js";
import type { Decision } from "./solve-options.js";

export interface OptimalSettings {
  readonly policy: Policy;
  readonly budget: Budget;
  readonly estimate: Estimate;
  readonly earlyStop: boolean;
  /** Without one everything is sampled and voted on. */
  readonly verified: boolean;
}

/**
 * Searches until the policy has nothing more to buy, a rule says that it is enough, or the budget is spent. May be called
 * again with a larger budget: it goes on from what was found.
 */
export async function searchOptimally(search: QuestionSearch, settings: OptimalSettings): Promise<Decision> {
  const { policy, budget, estimate, earlyStop } = settings;
  const capped = isUnlimited(budget) ? { ...budget, generations: usualGenerations } : budget;
  const bins = binsOf(policy, estimate);

  let difficulty = estimate === "question" ? await guess(search, policy) : null;
  if (difficulty === null) await probe(search, capped, settings);

  let stopped: StopReason | null = null;
  for (;;) {
    // Seen through as many samples as there are by now; a search's solutions are no fair sample.
    if (estimate !== "question") difficulty = difficultyOf(search, estimate);
    const enough = earlyStop ? reasonToStop(policy.stop, search.voters) : null;
    if (enough !== null) stopped = enough;
    if (enough !== null || search.exhausted) break;

    const left = await search.affordable(capped);
    const bin = difficulty === null ? policy.overall : bins[binIndex(bins, difficulty)]!;
    const choice = choose(bin, search.generations + left);
    const size = Math.min(choice.generations - search.generations, left);
    if (size < 1) break;
    await search.run(nextRound(choice, size, search.generations, await search.writesAlike(), settings));
  }
  const bin = difficulty === null ? null : binIndex(bins, difficulty);
  return { estimate, difficulty, bin, stopped, rounds: search.rounds };
}

/** The samples that tell how hard the question is. Where tokens are capped, the first alone tells what the others cost. */
async function probe(search: QuestionSearch, budget: Budget, settings: OptimalSettings): Promise<void> {
  const { probes } = settings.policy;
  const isPriced = budget.tokens !== undefined || budget.flops !== undefined;
  if (search.generations === 0 && isPriced) await search.run(samples(1, settings));
  const begun = search.generations > 0;
  if (begun && (search.generations >= probes || search.exhausted)) return;
  const left = begun || budget.generations !== undefined ? await search.affordable(budget) : Infinity;
  if (left > 0 || !begun) await search.run(samples(Math.min(probes - search.generations, left), settings));
}

/** Without a sample; null if the policy has no probe, or the budget pays for no prompt. */
async function guess(search: QuestionSearch, { questionProbe }: Policy): Promise<number | null> {
  if (questionProbe === null) return null;
  try {
    return questionDifficulty(questionProbe, await search.hiddenState());
  } catch (error) {
    if (ThinkTreeError.isInstance(error) && error.code === "EXHAUSTED") return null;
    throw error;
  }
}

function difficultyOf({ independent }: QuestionSearch, estimate: "score" | "agreement"): number {
  return estimate === "score" ? scoreDifficulty(independent) : agreementDifficulty(independent);
}

/** Strategies that can be run in parts: what they sample, or grow, knows nothing of each other. */
const divisible: ReadonlySet<string> = new Set([...sampling, "dvts"]);

/**
 * The whole rest, or a part of it where the search can then stop as soon as it is sure. Not where solutions begin alike:
 * side by side they write that once, and in rounds every round again.
 */
function nextRound(
  { strategy, settings }: Choice,
  size: number,
  before: number,
  alike: boolean,
  optimal: OptimalSettings,
): Strategy {
  const part = Math.max(optimal.policy.probes, Math.floor(before / 2));
  const inParts = optimal.earlyStop && divisible.has(strategy) && !alike;
  const round = inParts ? Math.min(size, part) : size;
  const n = sizeWithin(round, strategy, settings);
  return n > 0 ? strategyByName(strategy, { ...settings, n }) : samples(round, optimal);
}

function samples(n: number, { verified }: OptimalSettings): Strategy {
  return strategyByName(verified ? "weighted-best-of-n" : "majority", { n: Math.max(1, n) });
}

function isUnlimited({ generations, tokens, flops, milliseconds }: Budget): boolean {
  return [generations, tokens, flops, milliseconds].every((cap) => cap === undefined);
}
