/**
 * Fits a policy to the models at hand: samples and searches over questions with known answers, then chooses.
 *
 * Owns: what is run, in which order, and that nothing paid for is run twice.
 * Must not know: how a strategy searches, how bins are fitted.
 *
 * Killed at any moment, it goes on from its journal and ends with the same policy: every run has its own seed.
 */
import { bareQuestion, digestOf, type BareQuestion, type Question } from "../evaluation/questions.js";
import type { Grader } from "../grading/grader.js";
import type { PaceReport } from "../evaluation/pace.js";
import { sampledOf } from "../evaluation/records.js";
import { doUnits, here, type Executor, type Unit } from "../evaluation/units.js";
import type { Engine } from "../scheduler/engine.js";
import type { Policy } from "../scheduler/policy.js";
import { bestOfN, majorityVote, strategyWithin, type StrategyName } from "../strategies/index.js";
import { policyFrom, type PolicyOptions } from "./policy-from-records.js";
import type { CalibrationRecord, CalibrationSearch } from "./records.js";

export interface CollectOptions {
  /** In generations, ascending. Every question is sampled once to the largest. */
  readonly budgets: readonly number[];
  /** What is run besides sampling. Default: beam search and DVTS. */
  readonly searches?: readonly SearchSpec[] | undefined;
  readonly seed: number;
  /** Of all sampling. Default: as the engine's policy says. */
  readonly temperature?: number | undefined;
  /** What is paid for is kept here, line by line. */
  readonly journal: string;
  /** Also says how answers are read off, where they are not stated as others are. */
  readonly grader: Pick<Grader, "name" | "answerOf" | "grade" | "check">;
  readonly signal?: AbortSignal | undefined;
  /** Who runs the units; default: this process. */
  readonly execute?: Executor<CalibrationWork, CalibrationPaid> | undefined;
  /** Of runs: one for each question's samples, one for each search. Called at the beginning and after each. */
  readonly onProgress?: ((progress: PaceReport) => void) | undefined;
}

export type CalibrateOptions = CollectOptions & Omit<PolicyOptions, "temperature">;

/** One run over one question: a search, or (null) as many samples as there are generations. */
export interface CalibrationWork {
  readonly question: BareQuestion;
  readonly seed: number;
  readonly temperature: number;
  readonly generations: number;
  readonly search: SearchSpec | null;
}

/** What the journal keeps of one run. */
export type CalibrationPaid = Pick<CalibrationRecord, "samples" | "sharing" | "state"> | CalibrationSearch;

/** Branches that share the engine's batches: more only wait for each other. */
const branchesAtOnce = 64;

/** @throws {ThinkTreeError} INVALID_OPTION (also another run's journal), CANCELLED, and what searches throw */
export async function calibrate(
  engine: Engine,
  questions: readonly Question[],
  options: CalibrateOptions,
): Promise<Policy> {
  const records = await collectRecords(engine, questions, options);
  const { temperature = engine.policy.temperature } = options;
  return policyFrom(records, engine.fingerprints, { ...options, temperature });
}

/** The records alone, for reports. */
export async function collectRecords(
  engine: Engine,
  questions: readonly Question[],
  options: CollectOptions,
): Promise<CalibrationRecord[]> {
  const { budgets, seed, temperature = engine.policy.temperature, signal, onProgress } = options;
  const searches = options.searches ?? usualSearches(budgets, engine.models.verifier !== undefined);
  const { name: grader } = options.grader;
  const run = {
    questions: digestOf(questions),
    models: engine.fingerprints,
    asked: engine.models.generator.recipe["recipe_digest"],
    read: engine.models.verifier?.recipe["verifier.recipe_digest"],
    budgets,
    searches,
    seed,
    temperature,
    grader,
  };
  for (const { answer } of questions) options.grader.check?.(answer); // told before anything is paid for
  const runs = (work: CalibrationWork, ending: AbortSignal) => runOne(engine, options.grader, work, ending);
  const paidFor = await doUnits({
    ...{ journal: options.journal, run, signal, onProgress },
    units: questions.flatMap((question, i) => unitsOf(question, seed + i, temperature, budgets, searches)),
    execute: options.execute ?? here(branchesAtOnce, runs),
  });
  return questions.map(({ id }) => {
    const paid = <T extends CalibrationPaid>(unit: string) => paidFor(`${id}/${unit}`) as T;
    const sampled = paid<Extract<CalibrationPaid, { samples: unknown }>>("samples");
    return { id, ...sampled, searches: searches.map((search) => paid<CalibrationSearch>(nameOf(search))) };
  });
}

export type SearchSpec = Pick<CalibrationSearch, "strategy" | "settings" | "generations">;

/**
 * For every budget beam search and DVTS at the paper's widths, 4 and sqrt(N), and DVTS at 2: the more subtrees, the more
 * solutions that know nothing of each other.
 */
function usualSearches(budgets: readonly number[], verified: boolean): SearchSpec[] {
  if (!verified) return [];
  return budgets.flatMap((generations) => {
    const fits = (width: number) => width > 1 && generations % width === 0;
    const widths = [...new Set([4, Math.floor(Math.sqrt(generations))])].filter(fits);
    const spec = (strategy: StrategyName, beamWidth: number) => ({ strategy, settings: { beamWidth }, generations });
    return [
      ...widths.map((width) => spec("beam", width)),
      // One subtree alone is a beam search.
      ...[...new Set([...widths, 2])]
        .filter((width) => fits(width) && width < generations)
        .map((width) => spec("dvts", width)),
    ];
  });
}

function unitsOf(
  question: Question,
  seed: number,
  temperature: number,
  budgets: readonly number[],
  searches: readonly SearchSpec[],
): Unit<CalibrationWork>[] {
  const unit = (name: string, generations: number, search: SearchSpec | null) => ({
    key: `${question.id}/${name}`,
    branches: generations,
    work: { question: bareQuestion(question), seed, temperature, generations, search },
  });
  return [
    unit("samples", Math.max(...budgets), null),
    ...searches.map((search) => unit(nameOf(search), search.generations, search)),
  ];
}

/** One run of a calibration. @throws {ThinkTreeError} as Engine.solve */
export async function runOne(
  engine: Pick<Engine, "hiddenState" | "models" | "solve">,
  grader: Pick<Grader, "answerOf" | "grade">,
  { question: { question, answer: reference }, seed, temperature, generations: n, search }: CalibrationWork,
  signal: AbortSignal,
): Promise<CalibrationPaid> {
  const how = { seed, temperature, answerOf: grader.answerOf, signal };
  if (search !== null) {
    const strategy = strategyWithin(n, search.strategy, search.settings);
    const { answer, ledger } = await engine.solve(question, { ...how, strategy });
    return { ...search, right: await grader.grade(answer, reference), tokens: ledger.generatedTokens };
  }
  const strategy = engine.models.verifier === undefined ? majorityVote({ n }) : bestOfN({ n });
  const hasStates = engine.models.generator.width > 0;
  const [found, state] = await Promise.all([
    engine.solve(question, { ...how, strategy }),
    hasStates ? engine.hiddenState(question) : null,
  ]);
  const { samples, sharing } = await sampledOf(found, reference, grader);
  return { samples, sharing, state: state && Array.from(state, (value) => Number(value.toPrecision(6))) };
}

function nameOf({
  strategy,
  settings,
  generations,
}: { strategy: StrategyName } & Omit<SearchSpec, "strategy">): string {
  return [strategy, generations, ...Object.entries(settings).flat()].join(" ");
}
