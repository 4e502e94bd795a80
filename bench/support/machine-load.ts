/**
 * The warning that the machine is busy.
 *
 * Owns: where it is printed. Must not know: what is measured.
 */
import { busyShare, busyWarning } from "#lib/benchmark/machine-load.js";

export async function warnIfBusy(): Promise<void> {
  const warning = busyWarning(await busyShare());
  if (warning !== undefined) console.log(`Note: ${warning}.`);
}
