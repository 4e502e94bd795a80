/**
 * Published samples of real models, lent beside the repository (../shared/data/recorded).
 *
 * Owns: finding and reading them. Must not know: what is measured on them.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const folder = fileURLToPath(new URL("../../../shared/data/recorded/", import.meta.url));

export const hasRecorded = existsSync(folder);

/** One solution with its steps' scores. */
export interface RecordedSolution {
  readonly text: string;
  readonly scores: readonly number[];
  readonly right: boolean;
  readonly tokens: number;
}

/** openr: 500 problems of MATH-500, 4 solutions each, scored by a PRM. */
export function openr(): readonly (readonly RecordedSolution[])[] {
  type Row = { output: { text: string; value: number[]; completion_tokens: number }[] };
  const rows = JSON.parse(read("openr_math500_n4_prm.json.gz")) as Row[];
  const labels = JSON.parse(read("openr_math500_n4_prm.labels.json")) as boolean[][];
  return rows.map(({ output }, i) =>
    output.map(({ text, value, completion_tokens: tokens }, j) => ({
      text,
      scores: value,
      right: labels[i]![j]!,
      tokens,
    })),
  );
}

export interface RecordedProblem {
  readonly solutions: readonly Omit<RecordedSolution, "tokens">[];
  /** Whether upstream's choice among the first k is right: `pred_maj@4` and so on. */
  readonly predictions: Readonly<Record<string, 0 | 1>>;
}

/** search-and-learn: 3 problems of MATH-500, 256 solutions each by a model of 1B, scored by a PRM. */
export function searchAndLearn(): readonly RecordedProblem[] {
  type Row = { completions: string[]; scores: number[][] };
  type Labels = { correct: (0 | 1)[]; pred_correct: Record<string, 0 | 1> };
  const name = "sal/bon_llama3.2-1b_n256_3problems";
  const labels = read(`${name}.labels.jsonl`).trim().split("\n");
  const rows = read(`${name}.jsonl.gz`).split("\n"); // a fourth is cut, and has no labels
  return labels.map((line, i) => {
    const { correct, pred_correct: predictions } = JSON.parse(line) as Labels;
    const { completions, scores } = JSON.parse(rows[i]!) as Row;
    const solutions = completions.map((text, j) => ({ text, scores: scores[j]!, right: correct[j] === 1 }));
    return { solutions, predictions };
  });
}

/** RewardMATH: 483 problems, 10 solutions each of which the first is right; the scores of each one's steps, or its one. */
export function rewardMath(model: string): readonly (readonly (readonly number[])[])[] {
  const rows = JSON.parse(read(`rewardmath/${model}.json.gz`)) as { score: (number | number[])[] }[];
  return rows.map(({ score }) => score.map((one) => [one].flat()));
}

function read(name: string): string {
  const bytes = readFileSync(folder + name);
  return (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}
