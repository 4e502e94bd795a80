/**
 * Many like jobs, a few at a time.
 *
 * Owns: that nothing goes on unseen: the first failure cancels what runs, starts nothing more, and is thrown when all has
 * come to rest.
 * Must not know: the jobs.
 */
import { ThinkTreeError } from "../errors.js";

/** `work` is given a signal that fires with the caller's, and when another job has failed. @throws {ThinkTreeError} CANCELLED */
export async function forEachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal | undefined,
  work: (item: T, index: number, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const ended = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const results = new Array<R>(items.length);
  const waiting = items.entries();
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (const [index, item] of waiting) {
      if (ended.aborted) break;
      try {
        results[index] = await work(item, index, ended);
      } catch (error) {
        failure ??= { error };
        failed.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  if (failure) throw failure.error;
  if (ended.aborted) throw new ThinkTreeError("CANCELLED", "the work was stopped");
  return results;
}
