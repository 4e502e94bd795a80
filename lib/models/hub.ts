/**
 * Models from the hub, into a folder of this machine.
 *
 * Owns: what is asked of the hub; the cache: a file is there whole and as the hub has it, or not at all.
 * Must not know: what is in a model's file, terminals.
 *
 * The transfer itself, with its connections, retries and resumption, is ipull's.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";

import { z } from "zod";

import { ThinkTreeError } from "../errors.js";
import { choices, fileOf, filesWith, isInside, parseHubName, type HubName } from "./hub-name.js";
import { transfer } from "./transfer.js";

export interface HubOptions {
  /** Where models are kept. Default: thinktree below $XDG_CACHE_HOME or ~/.cache. */
  readonly cacheFolder?: string | undefined;
  /** Ends a download; the same call goes on from there. */
  readonly signal?: AbortSignal | undefined;
  /** Some bytes of a file have come. */
  readonly onDownload?: ((download: Download) => void) | undefined;
}

export interface Download {
  /** As it was named: hf:user/repo:quant. */
  readonly name: string;
  /** Bytes; of all parts of a split model. */
  readonly done: number;
  readonly total: number;
}

interface RemoteFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string | undefined;
}

interface Listing {
  /** What the revision is now, so that all files are of one. */
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

/** Of a listing; transfers have their own. */
const answerMs = 30_000;

const underWay = new Map<string, Promise<string>>();

/**
 * The model's file on this machine, fetched if it is not there yet, and its reward head beside it if the repository has one.
 * The network is only asked for what is missing. $HF_ENDPOINT names another hub, $HF_TOKEN opens gated models.
 * @throws {ThinkTreeError} INVALID_OPTION: no such name; DOWNLOAD_FAILED: no such model, no network, a transfer that stands
 * still or brings other bytes than the hub has; CANCELLED
 */
export async function hubModel(name: string, options: HubOptions = {}): Promise<string> {
  const wanted = parseHubName(name);
  const folder = join(options.cacheFolder ?? usualFolder(), "hub", wanted.repository, encodeURIComponent(wanted.revision));
  const work = underWay.get(folder)?.catch(() => undefined) ?? Promise.resolve();
  const result = work.then(() => inFolder(folder, wanted, options));
  underWay.set(folder, result);
  try {
    return await result;
  } finally {
    if (underWay.get(folder) === result) underWay.delete(folder);
  }
}

function usualFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "thinktree");
}

async function inFolder(folder: string, wanted: HubName, options: HubOptions): Promise<string> {
  const here = await filesIn(folder);
  const found = fileOf(wanted, here);
  if (found !== undefined && filesWith(found, here).parts.every((part) => here.includes(part))) return join(folder, found);

  const { commit, files } = await list(wanted, options.signal);
  const paths = files.map(({ path }) => path);
  const path = fileOf(wanted, paths);
  if (path === undefined) throw failed(wanted, `there is no such file, or more than one; ${choices(wanted, paths)}`);
  const { parts, head } = filesWith(path, paths);
  const remote = (some: readonly string[]) => some.map((part) => files.find((file) => file.path === part)!);
  if (!parts.every((part) => paths.includes(part))) throw failed(wanted, `not all parts of ${path} are there`);
  // The head first: where the model is, it is as well.
  if (head !== undefined) await fetchInto(folder, wanted, commit, remote([head]), options);
  await fetchInto(folder, wanted, commit, remote(parts), options);
  return join(folder, path);
}

const unfinished = ".unfinished";

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((path) => !path.startsWith(unfinished));
}

const listingSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{7,64}$/),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.number().int().nonnegative().optional(),
      lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }).nullish(),
    }),
  ),
});

function endpoint(): string {
  return (process.env["HF_ENDPOINT"] ?? "https://huggingface.co").replace(/\/+$/, "");
}

async function list(wanted: HubName, signal: AbortSignal | undefined): Promise<Listing> {
  const { repository, revision } = wanted;
  const token = process.env["HF_TOKEN"];
  const ends = AbortSignal.timeout(answerMs);
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${endpoint()}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`, {
      ...(token && { headers: { Authorization: `Bearer ${token}` } }),
      signal: signal === undefined ? ends : AbortSignal.any([signal, ends]),
    });
    body = response.ok ? await response.json() : undefined;
  } catch (cause) {
    if (signal?.aborted) throw cancelled(wanted);
    const why = ((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message;
    const mend = "go online once, or name a GGUF file by its path";
    throw failed(wanted, `${endpoint()} cannot be reached (${why}); ${mend}`, cause);
  }
  if ([401, 403, 404].includes(response.status)) {
    const mend = "look at its name; if it is gated or private, set HF_TOKEN to a token that may read it";
    throw failed(wanted, `${endpoint()} has no ${repository} at ${revision} for you (${response.status}): ${mend}`);
  }
  if (!response.ok) throw failed(wanted, `${endpoint()} answers ${response.status}; try again later`);
  const listing = listingSchema.safeParse(body);
  if (!listing.success) throw failed(wanted, `${endpoint()} does not answer as the hub does: look at HF_ENDPOINT`);
  const files = listing.data.siblings.flatMap(({ rfilename: path, size, lfs }) =>
    size === undefined || !isInside(path) ? [] : [{ path, size, sha256: lfs?.sha256 }],
  );
  return { commit: listing.data.sha, files };
}

/** All or none of them: parts of one model. */
async function fetchInto(
  folder: string,
  wanted: HubName,
  commit: string,
  files: readonly RemoteFile[],
  { signal, onDownload }: HubOptions,
): Promise<void> {
  const [first] = files;
  if (first === undefined || files.every(({ path }) => existsSync(join(folder, path)))) return;
  // By content, so that what is taken up again is the same.
  const holding = join(folder, unfinished, first.sha256 ?? `${commit}-${first.path.replaceAll("/", "-")}`);
  await mkdir(holding, { recursive: true });
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const urlOf = ({ path }: RemoteFile) =>
    `${endpoint()}/${wanted.repository}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
  const paths = await transfer({
    ...{ urls: files.map(urlOf), folder: holding, token: process.env["HF_TOKEN"], signal },
    onBytes: (done) => onDownload?.({ name: wanted.name, done: Math.min(done, total), total }),
  }).catch((cause: unknown) => {
    if (signal?.aborted) throw cancelled(wanted);
    throw failed(wanted, `${(cause as Error).message}; the same call goes on from there`, cause);
  });
  if (signal?.aborted) throw cancelled(wanted);
  for (const [i, file] of files.entries()) {
    const wrong = paths[i] === undefined ? "is missing" : await differs(paths[i], file);
    if (wrong === undefined) continue;
    await rm(holding, { recursive: true, force: true });
    throw failed(wanted, `${file.path} ${wrong}; it was deleted: try again`);
  }
  // The first part last: by it the model is found.
  for (const [i, file] of [...files.entries()].reverse()) {
    const path = join(folder, file.path);
    await mkdir(dirname(path), { recursive: true });
    await rename(paths[i]!, path);
  }
  await rm(holding, { recursive: true, force: true });
}

/** In what a file is not as the hub has it. */
async function differs(path: string, { size, sha256 }: RemoteFile): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size !== size) return `has ${found?.size ?? "no"} bytes, not ${size}`;
  if (sha256 === undefined) return undefined;
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex") === sha256 ? undefined : "has another checksum than the hub's";
}

function failed({ name }: HubName, why: string, cause?: unknown): ThinkTreeError {
  return new ThinkTreeError("DOWNLOAD_FAILED", `cannot fetch ${name}: ${why}`, { cause });
}

function cancelled({ name }: HubName): ThinkTreeError {
  return new ThinkTreeError("CANCELLED", `the download of ${name} was stopped; the same call goes on from there`);
}
