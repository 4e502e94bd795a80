/**
 * Models for a command: fetched if the hub has them, with a line that tells how far it is.
 *
 * Owns: that line, and what a signal means meanwhile.
 * Must not know: what the models are for.
 */
import { withFiles, namesHub, type ModelOptions } from "../scheduler/model-options.js";
import type { Interruption } from "./interruption.js";
import type { ProgressView } from "./progress-view.js";

/** Fetches what is missing, and then loads. */
export async function loadModels<Options extends ModelOptions, T>(
  options: Options,
  load: (options: Options) => Promise<T>,
  progress: ProgressView,
  interruption: Interruption,
): Promise<T> {
  const local = namesHub(options) ? await fetched(options, progress, interruption) : options;
  return progress.during("loading the models", () => load(local));
}

function fetched<Options extends ModelOptions>(
  options: Options,
  progress: ProgressView,
  interruption: Interruption,
): Promise<Options> {
  const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);
  const kept = () => "what has been fetched is kept";
  return interruption.duringKeptWork(kept, (signal) =>
    progress.duringParts("fetching, MiB", async (tell) => {
      const files = await withFiles({
        ...options,
        signal,
        onDownload: ({ name, done, total }) =>
          tell({ done: mebibytes(done), total: mebibytes(total), remainingMs: null, note: name }),
      });
      return { ...options, ...files };
    }),
  );
}
