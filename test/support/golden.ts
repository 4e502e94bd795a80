/**
 * What the independent reference has found: test/golden/, whose README says how it was made.
 *
 * Owns: reading those files. Must not know: who compares.
 */
import { readFileSync } from "node:fs";

export interface GoldenCase {
  readonly question: string;
  readonly steps: readonly string[];
  /** The whole conversation, where the recipe makes one text of it; special tokens are written out, but for the start. */
  readonly text?: string;
  /** Of everything that the model is given. */
  readonly tokens: readonly number[];
  /** Whose row is read: one a step, or one a solution. */
  readonly reads: readonly number[];
  /** In [0, 1]; of eurus-prm 0.001 times a log-likelihood ratio, of orm a reward. */
  readonly scores: readonly number[];
  /** The final-normed hidden state at the last of `reads`, to six digits. */
  readonly hidden: readonly number[];
}

export interface Golden {
  /** In checkpoints.ts. */
  readonly checkpoint: GoldenName;
  /** Tokens whose logits are compared. */
  readonly positive?: number;
  readonly negative?: number;
  /** The token that is read at. */
  readonly tag?: number;
  readonly separator?: number;
  readonly cases: readonly GoldenCase[];
}

export const goldenNames = [
  ...(["math-shepherd", "rlhflow", "skywork-o1", "qwen2.5-math-prm", "reasoneval-7b", "reasoneval-34b"] as const),
  ...(["eurus-prm", "trl", "trl-llama", "orm"] as const),
];
export type GoldenName = (typeof goldenNames)[number];

export function readGolden(name: GoldenName): Golden {
  return JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8")) as Golden;
}
