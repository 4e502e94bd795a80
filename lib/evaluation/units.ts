/**
 * Long work in units that know nothing of each other.
 *
 * Owns: what a unit is; that none is paid for twice; doing them in this process, as many at once as fill an engine's batches.
 * Must not know: what is done; where else it may be done.
 */
import { ThinkTreeError } from "../errors.js";
import { Journal } from "./journal.js";
import { Pace, type PaceReport } from "./pace.js";

export interface Unit<Work> {
  /** Its value's name in the journal: no two of a run share one. */
  readonly key: string;
  /** What it fills of an engine's batches while it is under way. */
  readonly branches: number;
  /** All that its value depends on besides the models and the grader: plain JSON. */
  readonly work: Work;
}

/**
 * Does units, in any order and wherever it likes, and gives each one's value to `take` once.
 *
 * `run`: plain JSON that no other run of units shares. The first failure ends it and is thrown when all has come to rest.
 * @throws {ThinkTreeError} CANCELLED, and what a unit throws
 */
export type Executor<Work, Value> = (
  run: object,
  units: readonly Unit<Work>[],
  take: (key: string, value: Value) => Promise<void>,
  signal: AbortSignal | undefined,
) => Promise<void>;

/** In this process: in order, with no more than so many branches under way, and at least one unit. */
export function here<Work, Value>(
  branchesAtOnce: number,
  perform: (work: Work, signal: AbortSignal) => Promise<Value>,
): Executor<Work, Value> {
  return async (_, units, take, signal) => {
    const failed = new AbortController();
    const ended = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
    const running = new Set<Promise<void>>();
    let branches = 0;
    let failure: { readonly error: unknown } | undefined;
    const run = async ({ key, work }: Unit<Work>) => {
      try {
        await take(key, await perform(work, ended));
      } catch (error) {
        failure ??= { error };
        failed.abort();
      }
    };
    for (const unit of units) {
      while (branches > 0 && branches + unit.branches > branchesAtOnce) await Promise.race(running);
      if (ended.aborted) break;
      branches += unit.branches;
      const under = run(unit).finally(() => {
        branches -= unit.branches;
        running.delete(under);
      });
      running.add(under);
    }
    await Promise.all(running);
    if (failure) throw failure.error;
    if (ended.aborted) throw new ThinkTreeError("CANCELLED", "the work was stopped");
  };
}

export interface KeptWork<Work, Value> {
  /** File in which values are kept. A run killed at any moment goes on from it. */
  readonly journal: string;
  /** Plain JSON of everything that the values depend on: the journal is refused to any other run. */
  readonly run: object;
  readonly units: readonly Unit<Work>[];
  readonly execute: Executor<Work, Value>;
  readonly signal?: AbortSignal | undefined;
  /** Called with every value, those of earlier runs first. */
  readonly onValue?: (value: Value) => void;
  /** Called at the beginning and after every unit. */
  readonly onProgress?: ((progress: PaceReport) => void) | undefined;
}

/**
 * The values of all units, by key.
 * @throws {ThinkTreeError} CANCELLED, INVALID_OPTION (also a journal of another run), and what units throw
 */
export async function doUnits<Work, Value>(kept: KeptWork<Work, Value>): Promise<(key: string) => Value> {
  const { run, units, execute, signal, onValue, onProgress } = kept;
  const journal = await Journal.open<Value>(kept.journal, run);
  try {
    const values = new Map<string, Value>();
    const note = (key: string, value: Value) => {
      values.set(key, value);
      onValue?.(value);
    };
    for (const { key } of units) {
      const paid = journal.get(key);
      if (paid !== undefined) note(key, paid);
    }
    const missing = units.filter(({ key }) => !values.has(key));
    const pace = new Pace(units.length, values.size, (report) => onProgress?.(report));
    const take = async (key: string, value: Value) => {
      await journal.append(key, value);
      note(key, value);
      pace.count();
    };
    if (missing.length > 0) await execute(run, missing, take, signal);
    return (key) => values.get(key)!;
  } finally {
    await journal.close();
  }
}
