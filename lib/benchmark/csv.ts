/**
 * A benchmark as a table for spreadsheets: one row a number of branches.
 *
 * Owns: the columns, named as the JSON's fields. Rows say what they are of, so that files of several machines can be joined.
 * Must not know: files.
 */
import type { Benchmark, Percentiles } from "./results.js";

type Cell = string | number | null;

/** RFC 4180, with a header. */
export function csvOf({ thinktree, date, machine, models, settings, residentPeakMib, results }: Benchmark): string {
  const rows = results.map((result): Record<string, Cell> => ({
    branches: result.branches,
    tokensPerSecondMedian: result.tokensPerSecond.median,
    tokensPerSecondLeast: result.tokensPerSecond.least,
    tokensPerSecondMost: result.tokensPerSecond.most,
    ...percentiles("firstTokenMs", result),
    ...percentiles("stepMs", result),
    ...percentiles("tokenMs", result),
    hostMsPerDecode: result.hostMsPerDecode,
    verifierShare: result.verifierShare,
    tokens: result.tokens,
    tokensAsked: result.tokensAsked,
    decodes: result.decodes,
    decodeMs: result.decodeMs,
    sampleMs: result.sampleMs,
    planMs: result.planMs,
    verifierDecodes: result.verifierDecodes,
    verifierTokens: result.verifierTokens,
    verifyMs: result.verifyMs,
    kvCellsPeak: result.kvCellsPeak,
    verifierKvCellsPeak: result.verifierKvCellsPeak,
    recomputedTokens: result.recomputedTokens,
    residentMib: result.residentMib,
    residentPeakMib,
    promptTokens: settings.promptTokens,
    lengthTokens: settings.lengthTokens,
    stepTokens: settings.stepTokens,
    rounds: settings.rounds,
    kvCells: settings.kvCells,
    threads: settings.threads,
    kvType: settings.kvType,
    gpuLayers: settings.gpuLayers,
    generator: models.generator.file,
    generatorBytes: models.generator.bytes,
    verifier: models.verifier?.file ?? null,
    verifierBytes: models.verifier?.bytes ?? null,
    ...machine,
    ...{ thinktree, date },
  }));
  const lines = [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))];
  return lines.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

function percentiles<Name extends "firstTokenMs" | "stepMs" | "tokenMs">(
  name: Name,
  result: Record<Name, Percentiles>,
) {
  const { p50, p95, p99 } = result[name];
  return { [`${name}P50`]: p50, [`${name}P95`]: p95, [`${name}P99`]: p99 };
}

/** Nothing for what is not there. */
function quoted(cell: Cell): string {
  const text = cell === null ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
