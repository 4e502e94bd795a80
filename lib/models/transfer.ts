/**
 * Bytes over the network, by node-llama-cpp's downloader.
 *
 * Owns: what that is told; an end to a transfer that stands still.
 * Must not know: caches, checksums.
 */
interface Transfer {
  /** hf:user/repo/file.gguf#revision; of a split model the first part. */
  readonly name: string;
  /** An earlier transfer of the same file into it is taken up again. */
  readonly folder: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onBytes: (done: number) => void;
}

/** It tries again by itself, for longer than anybody would wait. */
const standsStillMs = 60_000;

/** The files' paths: all parts. Whether they are right is for the caller to see. @throws {Error} what has ended it */
export async function transfer({ name, folder, endpoint, token, signal, onBytes }: Transfer): Promise<string[]> {
  const { createModelDownloader } = await import("node-llama-cpp");
  const stall = new AbortController();
  const ended = signal === undefined ? stall.signal : AbortSignal.any([signal, stall.signal]);
  const standsStill = () => stall.abort(new Error("nothing has come for a minute"));
  let timer = setTimeout(standsStill, standsStillMs);
  let most = 0;
  const over = new Promise<never>((_, reject) => {
    ended.addEventListener("abort", () => reject(ended.reason as Error), { once: true });
  });
  over.catch(() => undefined); // it may come after all is done
  try {
    ended.throwIfAborted();
    const downloader = await Promise.race([
      over,
      createModelDownloader({
        ...{ modelUri: name, dirPath: folder, deleteTempFileOnCancel: false, endpoints: { huggingFace: endpoint } },
        ...(token && { tokens: { huggingFace: token } }),
        onProgress: ({ downloadedSize }) => {
          if (downloadedSize <= most) return;
          most = downloadedSize;
          clearTimeout(timer);
          timer = setTimeout(standsStill, standsStillMs);
          onBytes(most);
        },
      }),
    ]);
    await Promise.race([over, downloader.download({ signal: ended })]);
    return downloader.filesInfo.map(({ filePath }) => filePath);
  } finally {
    clearTimeout(timer);
  }
}
