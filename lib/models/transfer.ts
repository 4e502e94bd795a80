/**
 * Bytes over the network, by ipull.
 *
 * Owns: what that is told; an end to a transfer that stands still.
 * Must not know: caches, checksums, the hub.
 */
import { join } from "node:path";

interface Transfer {
  readonly urls: readonly string[];
  /** An earlier transfer of the same files into it is taken up again. */
  readonly folder: string;
  /** Told only where the file is not given without. */
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Of all files together. */
  readonly onBytes: (done: number) => void;
}

/** It tries again by itself, for longer than anybody would wait. */
const standsStillMs = 60_000;

/** The files' paths. Whether they are right is for the caller to see. @throws {Error} what has ended it */
export async function transfer({ urls, folder, token, signal, onBytes }: Transfer): Promise<string[]> {
  const stall = new AbortController();
  const ended = signal === undefined ? stall.signal : AbortSignal.any([signal, stall.signal]);
  const standsStill = () => stall.abort(new Error("nothing has come for a minute"));
  let timer = setTimeout(standsStill, standsStillMs);
  let most = 0;
  const progressed = (done: number) => {
    if (done <= most) return;
    most = done;
    clearTimeout(timer);
    timer = setTimeout(standsStill, standsStillMs);
    onBytes(most);
  };
  try {
    const paths: string[] = [];
    for (const [i, url] of urls.entries()) {
      const fileName = `${i}-${new URL(url).pathname.split("/").at(-1)!}`;
      const before = most;
      await fetchFile({ url, directory: folder, fileName }, token, ended, (done) => progressed(before + done));
      paths.push(join(folder, fileName));
    }
    return paths;
  } finally {
    clearTimeout(timer);
  }
}

interface Target {
  readonly url: string;
  readonly directory: string;
  readonly fileName: string;
}

async function fetchFile(
  target: Target,
  token: string | undefined,
  ended: AbortSignal,
  onBytes: (done: number) => void,
): Promise<void> {
  const over = new Promise<never>((_, reject) => {
    ended.addEventListener("abort", () => reject(ended.reason as Error), { once: true });
  });
  over.catch(() => undefined); // it may come after all is done
  ended.throwIfAborted();
  const { downloadFile } = await import("ipull"); // slow to load, and seldom needed
  const tryHeaders = token ? [{ Authorization: `Bearer ${token}` }] : [];
  const opening = downloadFile({ ...target, headers: {}, tryHeaders, skipExisting: true });
  try {
    const file = await Promise.race([over, opening]);
    file.on("progress", () => onBytes(file.status.transferredBytes));
    await Promise.race([over, file.download()]);
  } finally {
    // What came so far is kept for the next time. One that was never opened has nothing to close.
    if (ended.aborted) void opening.then((file) => file.close({ deleteTempFile: false })).catch(() => undefined);
  }
}
