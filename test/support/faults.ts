/**
 * Faults of fake models that come to pass once, in whichever process.
 *
 * Owns: the files by which processes know. Must not know: what is tested.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll } from "vitest";

import type { Fake } from "./fake-engine.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-faults-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

export function once(fault: Fake): Fake & { readonly faultFile: string } {
  const faultFile = join(folder, String(files++));
  writeFileSync(faultFile, "");
  return { ...fault, faultFile };
}
