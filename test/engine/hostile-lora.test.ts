/**
 * Broken and hostile adapters on a whole model: each loads or gives a typed error, and the process lives.
 *
 * THINKTREE_HOSTILE_FILES: how many; THINKTREE_HOSTILE_SEED: the seed of the first, to see one again.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, it } from "vitest";

import { parseGguf } from "../support/gguf-file.js";
import { mutate } from "../support/gguf-mutation.js";
import { randomLora, writeLora } from "../support/lora.js";
import { ModelLoader } from "../support/model-loader.js";
import { embeddedModels } from "../support/models.js";

const files = Number(process.env["THINKTREE_HOSTILE_FILES"] ?? 400);
const firstSeed = Number(process.env["THINKTREE_HOSTILE_SEED"] ?? 1);
/** Milliseconds; a machine at rest takes a hundredth of it. */
const longest = 3_600_000;
/** Far more than a tiny model takes, far less than a hostile adapter would. */
const mostMib = 1024;

const folder = mkdtempSync(join(tmpdir(), "thinktree-hostile-lora-"));
afterAll(() => rmSync(folder, { recursive: true }));

const models = embeddedModels();

it.skipIf(models === undefined)(`mutated adapters end well: ${files} of them`, { timeout: longest }, async () => {
  const [whole, hostile] = [join(folder, "whole.gguf"), join(folder, "hostile.gguf")];
  const model = parseGguf(readFileSync(models!.generator));
  writeLora(whole, model, randomLora(model, /blk\.0\.(attn|ffn)/, { rank: 2, alpha: 1, seed: 1 }));
  const original = readFileSync(whole);
  const outcomes = new Map<string, number>();
  const bad: string[] = [];
  let most = 0;
  let loader = new ModelLoader();
  for (let seed = firstSeed; seed < firstSeed + files; seed++) {
    const { bytes, what } = mutate(original, seed);
    writeFileSync(hostile, bytes);
    const { outcome, message, inspection, residentMib = 0 } = await loader.loadAdapter(hostile, models!.generator);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    most = Math.max(most, residentMib);
    // An adapter is no model, whatever has become of it.
    if (!typed.has(outcome) || !refusals.has(inspection ?? "")) {
      bad.push(`seed ${seed}, ${what}: ${inspection}, ${outcome}, ${message}`);
    }
    if (outcome.startsWith("died")) loader = new ModelLoader();
  }
  await loader.close();
  expect(bad).toEqual([]);
  expect(most).toBeLessThan(mostMib);
  // Else it has been shown nothing but what any reader refuses.
  expect(outcomes.get("wrote")).toBeGreaterThan(files / 20);
  expect(outcomes.get("MODEL_LOAD_FAILED")).toBeGreaterThan(files / 10);
});

const refusals: ReadonlySet<string> = new Set(["MODEL_LOAD_FAILED", "UNSUPPORTED_MODEL"]);
const typed: ReadonlySet<string> = new Set([...refusals, "wrote", "BAD_LOGITS"]);
