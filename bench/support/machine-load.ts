/**
 * How much of the machine others use: figures from a busy one are worth nothing.
 *
 * Owns: the warning. Must not know: what is measured.
 */
import { cpus } from "node:os";
import { setTimeout } from "node:timers/promises";

const watchedMs = 500;
const tolerated = 0.1;

/** Looks for a moment at what runs while we do nothing. */
export async function warnIfBusy(): Promise<void> {
  const before = times();
  await setTimeout(watchedMs);
  const after = times();
  const busy = 1 - (after.idle - before.idle) / (after.total - before.total);
  if (busy > tolerated)
    console.log(`Note: others use ${Math.round(100 * busy)}% of the machine; the figures will be off.`);
}

function times(): { idle: number; total: number } {
  const each = cpus().map(({ times }) => times);
  const idle = each.reduce((sum, { idle }) => sum + idle, 0);
  const total = each.flatMap((times) => Object.values(times)).reduce((sum, ms) => sum + ms, 0);
  return { idle, total };
}
