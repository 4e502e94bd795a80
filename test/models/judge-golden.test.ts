/** Judges of random weights and the real tokenizer are told and write exactly what they do in PyTorch and transformers. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { Engine, type VerifierRecipe } from "../../lib/index.js";
import { importPrm } from "../../lib/models/import-prm.js";
import { writeCheckpoint } from "../support/checkpoints.js";

interface Golden {
  /** Tokens of an analysis. */
  readonly longest: number;
  readonly cases: readonly {
    readonly question: string;
    readonly steps: readonly string[];
    readonly judged: readonly { prompt: number[]; analysis: number[]; verdict: number[]; share: number }[];
  }[];
}

/** Qwen's token of "Step", with which ThinkPRM's prompts go on after the question that they share. */
const stepWord = 8304;
const folder = mkdtempSync(join(tmpdir(), "thinktree-judge-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const read = <T>(path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as T;

describe.each(["genprm", "thinkprm"] as const)("%s", (name) => {
  const golden = read<Golden>(`../golden/${name}.json`);

  it("gives the reference's verdicts on its own greedy analyses", async () => {
    const checkpoint = await writeCheckpoint(folder, name);
    const { backbone } = await importPrm(checkpoint, { out: join(folder, name), type: "F32", recipe: name });
    const own = read<VerifierRecipe & { read: { analysis: object } }>(`../../models/recipes/${name}.json`);
    const recipe = { ...own, read: { analysis: { ...own.read.analysis, temperature: 0, tokens: golden.longest } } };
    await using engine = await Engine.load({
      ...{ generator: { fake: {} }, verifier: { path: backbone, recipe: recipe as VerifierRecipe } },
    });
    for (const { question, steps, judged } of golden.cases) {
      const { scores, ledger } = await engine.score(question, steps);
      // Random weights say something else after any other token.
      judged.forEach(({ share }, i) => expect(Math.abs(scores[i]! - share), `${question} ${i}`).toBeLessThan(1e-3));
      const count = (of: "prompt" | "analysis" | "verdict") => judged.reduce((sum, turn) => sum + turn[of].length, 0);
      expect(ledger.verifierTokens).toBe(count("analysis"));
      const again = name === "genprm" ? 0 : (judged.length - 1) * judged[0]!.prompt.indexOf(stepWord);
      expect(ledger.verifierPromptTokens).toBe(count("prompt") + count("verdict") - again);
    }
  });
});
