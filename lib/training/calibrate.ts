/**
 * Fits a policy to the models at hand: samples and searches over questions with known answers, then chooses.
 *
 * Owns: what is run, in which order, and that nothing paid for is run twice.
 * Must not know: how a strategy searches, how bins are fitted.
 *
 * Killed at any moment, it goes on from its journal and ends with the same policy: every run has its own seed.
 */
import { digestOf, type Question } from "../evaluation/questions.js";
import type { Grader } from "../grading/grader.js";
import { Journal } from "../evaluation/journal.js";
import { sampledOf } from "../evaluation/records.js";
import { ThinkTreeError } from "../errors.js";
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
  readonly onProgress?: ((progress: CalibrateProgress) => void) | undefined;
}

export type CalibrateOptions = CollectOptions & Omit<PolicyOptions, "temperature">;

export interface CalibrateProgress {
  /** Runs: one for each question's samples, one for each search. */
  readonly done: number;
  readonly total: number;
  /** By the pace since the start; null before the first run. */
  readonly remainingMs: number | null;
}

/** What the journal keeps of one run. */
type Paid =
  (Pick<CalibrationRecord, "samples" | "sharing"> & { readonly state: readonly number[] }) | CalibrationSearch;

interface Unit {
  readonly key: string;
  readonly generations: number;
  run(): Promise<Paid>;
}

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
    budgets,
    searches,
    seed,
    temperature,
    grader,
  };
  for (const { answer } of questions) options.grader.check?.(answer); // told before anything is paid for
  const journal = await Journal.open<Paid>(options.journal, run);
  try {
    const units = questions.flatMap((question, i) => unitsOf(engine, question, seed + i, searches, options));
    const missing = units.filter(({ key }) => journal.get(key) === undefined);
    const begun = performance.now();
    let finished = 0;
    const report = () => {
      const each = (performance.now() - begun) / finished;
      const remainingMs = finished === 0 ? null : each * (missing.length - finished);
      onProgress?.({ done: units.length - missing.length + finished, total: units.length, remainingMs });
    };
    report();
    await inTurn(missing, async (unit) => {
      if (signal?.aborted) throw new ThinkTreeError("CANCELLED", "the calibration was stopped");
      await journal.append(unit.key, await unit.run());
      finished++;
      report();
    });
    return questions.map(({ id }) => {
      const paid = <T extends Paid>(unit: string) => journal.get(`${id}/${unit}`) as T;
      const sampled = paid<Extract<Paid, { samples: unknown }>>("samples");
      return { id, ...sampled, searches: searches.map((search) => paid<CalibrationSearch>(nameOf(search))) };
    });
  } finally {
    await journal.close();
  }
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
  engine: Engine,
  { id, question, answer: reference }: Question,
  seed: number,
  searches: readonly SearchSpec[],
  { budgets, temperature, grader, signal }: CollectOptions,
): Unit[] {
  const n = Math.max(...budgets);
  const { answerOf } = grader;
  const right = (answer: string | null) => grader.grade(answer, reference);
  const samples = async () => {
    const strategy = engine.models.verifier === undefined ? majorityVote({ n }) : bestOfN({ n });
    const [found, state] = await Promise.all([
      engine.solve(question, { strategy, seed, temperature, answerOf, signal }),
      engine.hiddenState(question),
    ]);
    const { samples, sharing } = await sampledOf(found, reference, grader);
    return { samples, sharing, state: Array.from(state, (value) => Number(value.toPrecision(6))) };
  };
  const search = async ({ strategy: name, settings, generations }: SearchSpec) => {
    const strategy = strategyWithin(generations, name, settings);
    const { answer, ledger } = await engine.solve(question, { strategy, seed, temperature, answerOf, signal });
    return { strategy: name, settings, generations, right: await right(answer), tokens: ledger.generatedTokens };
  };
  return [
    { key: `${id}/samples`, generations: n, run: samples },
    ...searches.map((spec) => ({
      key: `${id}/${nameOf(spec)}`,
      generations: spec.generations,
      run: () => search(spec),
    })),
  ];
}

function nameOf({
  strategy,
  settings,
  generations,
}: { strategy: StrategyName } & Omit<SearchSpec, "strategy">): string {
  return [strategy, generations, ...Object.entries(settings).flat()].join(" ");
}

/** In order, with as many under way as fill the engine's batches. The first failure ends it; what runs is awaited. */
async function inTurn(units: readonly Unit[], work: (unit: Unit) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>();
  let branches = 0;
  let failure: { readonly error: unknown } | undefined;
  for (const unit of units) {
    while (branches > 0 && branches + unit.generations > branchesAtOnce) await Promise.race(running);
    if (failure !== undefined) break;
    branches += unit.generations;
    const job = work(unit)
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => {
        branches -= unit.generations;
        running.delete(job);
      });
    running.add(job);
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
}
