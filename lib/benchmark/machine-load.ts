/**
 * How much of the machine others use: figures from a busy one are worth nothing.
 *
 * Owns: the measurement, and how much is tolerated. Must not know: what is measured after it.
 */
import { cpus } from "node:os";
import { setTimeout } from "node:timers/promises";

const watchedMs = 500;
const tolerated = 0.1;

/** Looks for a moment at what runs while we do nothing: a share of all cores, in [0, 1]. */
export async function busyShare(): Promise<number> {
  const before = times();
  await setTimeout(watchedMs);
  const after = times();
  const passed = after.total - before.total;
  return passed > 0 ? 1 - (after.idle - before.idle) / passed : 0;
}

/** Undefined if the machine is as idle as it should be. */
export function busyWarning(share: number): string | undefined {
  if (share <= tolerated) return undefined;
  return `others use ${Math.round(100 * share)}% of the machine; the figures will be off`;
}

function times(): { idle: number; total: number } {
  const each = cpus().map(({ times }) => times);
  const idle = each.reduce((sum, { idle }) => sum + idle, 0);
  const total = each.flatMap((times) => Object.values(times)).reduce((sum, ms) => sum + ms, 0);
  return { idle, total };
}
