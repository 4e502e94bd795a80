/**
 * Where the benchmarks find and leave files.
 *
 * Owns: the folders. Must not know: what is in them.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = above(dirname(fileURLToPath(import.meta.url)));
/** Models that were generated; may be deleted at any time. */
export const cacheFolder = join(root, "bench", ".cache");
const resultsFolder = join(root, "bench", "results");

/** Raw figures for later comparison, with the machine they are from. */
export function saveResults(name: string, results: unknown): string {
  mkdirSync(resultsFolder, { recursive: true });
  const path = join(resultsFolder, `${name}.json`);
  writeFileSync(path, `${JSON.stringify({ machine: machine(), date: new Date().toISOString(), results }, null, 2)}\n`);
  return path;
}

function machine(): object {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
}

/** The repository, seen from bench/ and from where it is compiled to. */
function above(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : above(dirname(folder));
}
