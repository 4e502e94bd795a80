/**
 * One question under search: its tree, what was found on it, what that cost.
 *
 * Owns: the tree's life, the pool of solutions, the final choice among them.
 * Must not know: which strategy comes next and why.
 */
import { setMaxListeners } from "node:events";

import type { Ledger } from "../engine/addon.js";
import type { Core } from "../engine/core.js";
import type { Tree } from "../engine/tree.js";
import { ThinkTreeError } from "../errors.js";
import type { RoundReport, SearchContext, Strategy } from "../strategies/index.js";
import { rankGuarded, type GuardedCandidate } from "../verifiers/guards.js";
import { compareScores } from "../verifiers/selection.js";
import { wholeIfAny, type Solution } from "../verifiers/solution.js";
import type { Question } from "./conversation.js";
import { affordable, type Budget, type Spending } from "./budget.js";
import { answersOf, questionTree } from "./question-tree.js";
import { aggregationOf, recipeOf } from "./recipe.js";
import type { Answer, CheckedOptions, Decision } from "./solve-options.js";

/** Strategies whose solutions know nothing of each other: only those tell how hard the question is. */
export const sampling: ReadonlySet<string> = new Set(["majority", "best-of-n", "weighted-best-of-n"]);

export class QuestionSearch implements AsyncDisposable {
  /** Solutions of strategies that only sample. */
  readonly independent: Solution[] = [];
  /** The best whole solution of each subtree or chain that competed with no other. */
  private readonly winners: Solution[] = [];
  /** The sizes of the strategies that ran. */
  generations = 0;
  readonly rounds: Decision["rounds"][number][] = [];
  private readonly found: Solution[] = [];
  private ranking: Strategy | undefined;
  private hidden: Promise<Float32Array> | undefined;
  private closed: Promise<Ledger> | undefined;
  private readonly stopNow = () => this.tree.stop();

  /**
   * With an account the budget's tokens and flops are of all searches that have it.
   * @throws {ThinkTreeError} EMPTY_PROMPT, CONTEXT_EXCEEDED, CANCELLED, ENGINE_CLOSED
   */
  static async open(
    engine: Core,
    question: Question,
    options: CheckedOptions,
    account?: number,
  ): Promise<QuestionSearch> {
    const tree = questionTree(engine.models, question, options);
    const begun = performance.now(); // the engine's own clock for the deadline starts before it has answered
    return new QuestionSearch(engine, await engine.openTree(tree, account), options, begun);
  }

  private constructor(
    private readonly engine: Core,
    private readonly tree: Tree,
    private readonly options: CheckedOptions,
    private readonly begun: number,
  ) {
    const { stop } = options;
    if (stop === undefined) return;
    if (stop.aborted) this.stopNow();
    setMaxListeners(0, stop); // one signal may end any number of searches
    stop.addEventListener("abort", this.stopNow, { once: true });
  }

  /** True if no more can be written. */
  get exhausted(): boolean {
    return this.tree.exhausted;
  }

  hiddenState(): Promise<Float32Array> {
    return (this.hidden ??= this.tree.hiddenState());
  }

  /** What the search has cost so far. */
  async spending(): Promise<Spending> {
    return { generations: this.generations, ledger: await this.tree.ledger() };
  }

  /** Solutions that `budget` still pays for. */
  async affordable(budget: Budget): Promise<number> {
    return affordable(budget, await this.spending());
  }

  /** Whether solutions side by side have saved a fifth of their tokens by writing what they had in common once. */
  async writesAlike(): Promise<boolean> {
    const { generatedTokens, coalescedTokens } = await this.tree.ledger();
    return coalescedTokens > (generatedTokens + coalescedTokens) / 5;
  }

  /** Adds what a strategy finds to the pool; the last one that ran also ranks it. */
  async run(strategy: Strategy): Promise<void> {
    this.generations += strategy.generations;
    this.rounds.push({ strategy: strategy.name, generations: strategy.generations });
    const { watch } = this.options;
    const solutions = await (watch ? watch(strategy) : strategy).explore(this.tree, this.context());
    this.found.push(...solutions);
    if (sampling.has(strategy.name)) this.independent.push(...solutions);
    else this.winners.push(...winnersOf(solutions));
    this.ranking = strategy;
  }

  /** Solutions that may vote on whether more are needed: they know nothing of each other. The more careful ones, if any. */
  get voters(): readonly Solution[] {
    return this.winners.length > 0 ? this.winners : this.independent;
  }

  /** What would be answered now, best first; empty before the first strategy ran. */
  candidates(): GuardedCandidate[] {
    const { ranking } = this;
    if (ranking === undefined) return [];
    const pool = wholeIfAny(this.found);
    const rank = (solutions: readonly Solution[]) => ranking.rank(solutions);
    if (this.options.guards) return rankGuarded(rank, pool, this.independent);
    return rank(pool).map((candidate) => ({ ...candidate, flags: [] }));
  }

  /** Ends the search. */
  async answer(strategy: Answer["strategy"], decision: Decision | null): Promise<Answer> {
    const ledger = await this.close();
    const candidates = this.candidates();
    const [best] = candidates;
    if (best === undefined) throw new ThinkTreeError("INTERNAL", `${strategy.name} returned no candidate`);
    const { answer, text, steps, score } = best;
    const { generations, options } = this;
    const finishReason = this.finishReason();
    const { name, options: settings } = strategy;
    return {
      ...{ answer, text, steps, score, candidates },
      strategy: { name, options: settings },
      ...{ decision, finishReason, generations, seed: options.seed, ledger },
    };
  }

  /** Gives everything up; may be called again. Returns what the search has cost. */
  close(): Promise<Ledger> {
    this.options.stop?.removeEventListener("abort", this.stopNow);
    this.closed ??= this.tree.close();
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => undefined);
  }

  private context(): SearchContext {
    const { generator, verifier } = this.engine.models;
    const { onProgress } = this.options;
    return {
      aggregation: verifier && aggregationOf(verifier),
      answerOf: this.options.answerOf ?? answersOf(generator),
      revision: recipeOf(generator).revision,
      ...(onProgress && { onRound: (round: RoundReport) => this.report(round, onProgress) }),
    };
  }

  /** Rounds are told with what they have cost; the ledger comes a moment later and must not hold the search up. */
  private report(round: RoundReport, onProgress: NonNullable<CheckedOptions["onProgress"]>): void {
    this.tree.ledger().then(
      (ledger) => onProgress({ ...round, ledger }),
      () => undefined, // closed meanwhile: the last round needs no report, the answer is there
    );
  }

  private finishReason(): Answer["finishReason"] {
    const { stop, budget } = this.options;
    if (!this.tree.exhausted) return "complete";
    if (stop?.aborted) return "stopped";
    const late = budget.milliseconds !== undefined && performance.now() - this.begun >= budget.milliseconds;
    return late ? "deadline" : "budget";
  }
}

function winnersOf(solutions: readonly Solution[]): Solution[] {
  const best = new Map<number, Solution>();
  for (const solution of solutions) {
    if (solution.chain === undefined || !solution.finished) continue;
    const rival = best.get(solution.chain);
    if (rival === undefined || compareScores(solution.score, rival.score) < 0) best.set(solution.chain, solution);
  }
  return [...best.values()];
}
