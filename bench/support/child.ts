/**
 * One measurement in a process of its own, so that no contender sees another's memory, threads or warm caches.
 *
 * Owns: starting it, handing it its work, getting its figures back. Must not know: the work.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";

/** Runs the module, which calls `answer`. Its output goes where ours does. */
export function inChild<Result>(module: URL, work: object): Promise<Result> {
  return new Promise((resolve, reject) => {
    // libuv has four threads unless told otherwise, and node-llama-cpp samples on them.
    const env = { ...process.env, UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())) };
    const child = fork(module, [JSON.stringify(work)], { env, serialization: "advanced" });
    let result: { value: Result } | undefined;
    child.on("message", (value) => (result = { value: value as Result }));
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (status === 0 && result !== undefined) resolve(result.value);
      else reject(new Error(`${module.pathname} ended with ${signal ?? status} and without figures`));
    });
  });
}

/** In the child: does the work, tells the result and ends the process, whatever threads are still there. */
export async function answer<Work, Result>(measure: (work: Work) => Promise<Result>): Promise<void> {
  const result = await measure(JSON.parse(process.argv[2]!) as Work);
  process.send!(result, () => process.exit(0));
}
