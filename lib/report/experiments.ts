/**
 * The paper's experiments on the models at hand.
 *
 * Owns: what is run for a report, how many questions and how large, and that a killed run goes on from its journals.
 * Must not know: pictures, findings.
 */
import { cpus } from "node:os";
import { join } from "node:path";

import { evaluate, type Evaluation } from "../evaluation/evaluate.js";
import type { Grader } from "../grading/grader.js";
import type { Question } from "../evaluation/questions.js";
import { Engine } from "../scheduler/engine.js";
import type { Estimate } from "../scheduler/difficulty.js";
import type { SolveOptions } from "../scheduler/solve-options.js";
import { majorityVote, revisions, strategyByName, type Strategy } from "../strategies/index.js";
import { collectRecords, type SearchSpec } from "../training/calibrate.js";
import type { CalibrationRecord } from "../training/records.js";
import type { TreeRecording } from "./recording.js";
import { recordTree } from "./tree-recorder.js";

/** How large the experiments are. */
export interface Scale {
  readonly questions: number;
  /** Budgets of the search experiments, in generations. */
  readonly budgets: readonly number[];
  /** Budgets that the policy is served with: finer, since it has its own entries between. */
  readonly servedBudgets: readonly number[];
  /** Total attempts of the revision experiments. */
  readonly revisionBudgets: readonly number[];
  readonly searches: readonly SearchSpec[];
}

const search = (
  strategy: SearchSpec["strategy"],
  generations: number,
  settings: SearchSpec["settings"],
): SearchSpec => ({
  ...{ strategy, generations, settings },
});
const widths = (generations: number, width: number) =>
  (["beam", "dvts"] as const)
    .filter((strategy) => strategy === "beam" || generations > width)
    .map((strategy) => search(strategy, generations, { beamWidth: width }));

/** About three minutes on two cores. */
export const quick: Scale = {
  questions: 40,
  budgets: [1, 4, 16, 64],
  servedBudgets: [4, 8, 24, 72],
  revisionBudgets: [16],
  searches: [...widths(4, 4), ...widths(16, 4), ...widths(64, 4)],
};

/** About twelve minutes on two cores. */
export const full: Scale = {
  questions: 250,
  budgets: [1, 4, 16, 64],
  servedBudgets: [4, 8, 16, 24, 72, 136],
  revisionBudgets: [4, 16],
  searches: [
    ...widths(4, 4),
    ...widths(4, 2),
    ...widths(16, 4),
    ...widths(64, 4),
    ...widths(64, 8),
    search("lookahead", 16, { beamWidth: 4, lookahead: 1 }),
    search("lookahead", 64, { beamWidth: 4, lookahead: 1 }),
  ],
};

export interface Models {
  readonly generator: string;
  readonly verifier: string;
  readonly reviser: string;
  /** The larger generator, about 14 times the size. */
  readonly large: string;
}

/** The policy at work: every question answered by `engine.solve` alone, probes counted. */
export interface Served {
  readonly estimate: Estimate;
  readonly budget: number;
  readonly evaluation: Evaluation;
}

/** Chains of revisions, chosen among by the verifier. */
export interface Revised {
  readonly n: number;
  readonly length: number;
  readonly evaluation: Evaluation;
}

export interface Measured {
  readonly questions: readonly Question[];
  readonly records: readonly CalibrationRecord[];
  readonly served: readonly Served[];
  readonly revised: readonly Revised[];
  /** One greedy solution each, of the generator and of the larger one. */
  readonly greedy: { readonly small: Evaluation; readonly large: Evaluation };
  readonly parameters: { readonly generator: number; readonly verifier: number; readonly large: number };
  readonly policy: Engine["policy"];
  readonly trees: readonly { readonly question: Question; readonly recording: TreeRecording }[];
}

export interface ExperimentOptions {
  readonly models: Models;
  readonly questions: readonly Question[];
  readonly scale: Scale;
  readonly seed: number;
  /** Folder of the journals. */
  readonly folder: string;
  readonly grader: Grader;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { done: number; total: number; remainingMs: number | null }) => void) | undefined;
}

/** A policy that has no bins by an estimate cannot be served by it. */
const servedBy: readonly Estimate[] = ["score", "question"];

/** The search experiments and the others have an engine each, since an engine of small models keeps one core busy. */
export async function runExperiments(options: ExperimentOptions): Promise<Measured> {
  const { models, scale, seed, signal } = options;
  const questions = options.questions.slice(0, scale.questions);
  const progress = new Progress(options.onProgress);
  const threads = cpus().length > 3 ? {} : { threads: 1 };
  const { generator, verifier } = models;
  await using main = await Engine.load({ generator, verifier, ...threads });
  const { temperature } = main.policy; // of every model, so that they can be compared
  const common = { questions, grader: options.grader, signal, seed };
  const journal = (name: string) => join(options.folder, `${name}.jsonl`);
  const evaluated = (
    engine: Engine,
    name: string,
    solve: { strategy?: Strategy; budget?: number; estimate?: Estimate },
    branches = 64,
  ) =>
    evaluate({
      ...common,
      engine,
      solve: { ...solve, temperature },
      branches,
      journal: journal(name),
      onProgress: progress.part(name, questions.length),
    });

  const searching = async () => {
    const { budgets, searches } = scale;
    const onProgress = progress.part("search", questions.length * (1 + searches.length));
    const records = await collectRecords(main, questions, {
      ...common,
      budgets,
      searches,
      journal: journal("search"),
      onProgress,
    });
    const served: Served[] = [];
    for (const estimate of servedBy.filter((one) => main.policy.bins[one] !== undefined)) {
      for (const budget of scale.servedBudgets) {
        const evaluation = await evaluated(main, `served-${estimate}-${budget}`, { budget, estimate });
        served.push({ estimate, budget, evaluation });
      }
    }
    return { records, served };
  };
  const others = async () => {
    const greedy = majorityVote({ n: 1, temperature: 0 });
    const small = await evaluated(main, "greedy-small", { strategy: greedy });
    await using larger = await Engine.load({ generator: models.large, ...threads });
    const large = await evaluated(larger, "greedy-large", { strategy: greedy });
    const revised: Revised[] = [];
    await using revising = await Engine.load({ generator: models.reviser, verifier, ...threads });
    for (const n of scale.revisionBudgets) {
      for (const length of powersOfFour(n)) {
        const strategy = revisions({ chains: n / length, length });
        // A chain writes one attempt at a time.
        const evaluation = await evaluated(revising, `revisions-${n}-${length}`, { strategy }, 32 * length);
        revised.push({ n, length, evaluation });
      }
    }
    const watched = await watch(
      revising,
      questions,
      { seed, temperature, signal },
      revisions({ chains: 2, length: 4 }),
    );
    return { greedy: { small, large }, large: larger.models.generator.parameters, revised, watched };
  };
  const [{ records, served }, { greedy, large, revised, watched }] = await settled([searching(), others()]);
  const beam = await watch(
    main,
    questions,
    { seed, temperature, signal },
    strategyByName("beam", { n: 16, beamWidth: 4 }),
  );
  return {
    ...{ questions, records, served, revised, greedy, policy: main.policy },
    parameters: {
      generator: main.models.generator.parameters,
      verifier: main.models.verifier!.parameters,
      large,
    },
    trees: [beam, watched],
  };
}

/** 1, 4, 16, ... up to n, and n: the paper's grid of sequential attempts. */
function powersOfFour(n: number): number[] {
  const lengths = [];
  for (let length = 1; length < n; length *= 4) lengths.push(length);
  return [...lengths, n];
}

/** One search as a recording: of the first question that the generator solves in 10 to 40 of 100 samples. */
async function watch(
  engine: Engine,
  questions: readonly Question[],
  options: Pick<SolveOptions, "seed" | "temperature" | "signal">,
  strategy: Strategy,
) {
  const isHard = ({ other }: Question) => Number(other["pass1"]) >= 0.1 && Number(other["pass1"]) <= 0.4;
  const question = questions.find(isHard) ?? questions[0]!;
  const watched = recordTree(strategy);
  await engine.solve(question.question, { strategy: watched.strategy, ...options });
  return { question, recording: watched.recording };
}

/** Both results, or the first failure when both have ended: neither goes on unseen. */
async function settled<A, B>(both: [Promise<A>, Promise<B>]): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled(both);
  if (a.status === "rejected") throw a.reason;
  if (b.status === "rejected") throw b.reason;
  return [a.value, b.value];
}

/** Parts of several jobs as one row. */
class Progress {
  private readonly begun = performance.now();
  private readonly parts = new Map<string, { done: number; total: number }>();

  constructor(private readonly tell: ExperimentOptions["onProgress"]) {}

  part(name: string, total: number): (progress: { done: number }) => void {
    this.parts.set(name, { done: 0, total });
    return ({ done }) => {
      this.parts.set(name, { done, total });
      const all = [...this.parts.values()];
      const sum = (of: "done" | "total") => all.reduce((value, part) => value + part[of], 0);
      this.tell?.({ done: sum("done"), total: sum("total"), remainingMs: this.remaining(sum("done"), sum("total")) });
    };
  }

  private remaining(done: number, total: number): number | null {
    return done === 0 ? null : ((performance.now() - this.begun) / done) * (total - done);
  }
}
