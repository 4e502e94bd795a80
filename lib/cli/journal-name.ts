/**
 * Where a command keeps its paid work if nobody says.
 *
 * Owns: that the same command finds it again, and another does not. Must not know: what a run is made of.
 */
import { createHash } from "node:crypto";

/** In the current folder. `run`: as Journal.open takes it. */
export function journalName(kind: string, run: object): string {
  return `thinktree-${kind}-${createHash("sha256").update(JSON.stringify(run)).digest("hex").slice(0, 8)}.jsonl`;
}
