/**
 * A verifier on ProcessBench, for people: two accuracies and their F1, file by file.
 *
 * Owns: that page. Pure: from figures to lines.
 * Must not know: how they were found, streams.
 */
import { basename } from "node:path";

import type { ProcessBenchFigures } from "../evaluation/process-bench.js";
import type { Estimate } from "../evaluation/statistics.js";
import { grouped, harmless, score3, type Paper } from "./paper.js";

export interface VerifierFigures {
  readonly verifier: string;
  readonly recipe: string | null;
  readonly threshold: number;
  readonly tunedOn: string | null;
  readonly files: readonly (ProcessBenchFigures & { readonly file: string })[];
  readonly averageF1: Estimate;
}

const margin = "  ";
const nameWidth = 20;

export function evaluateVerifierView(figures: VerifierFigures, { colors }: Paper): string[] {
  const { verifier, recipe, threshold, tunedOn, files, averageF1 } = figures;
  const read = recipe === null ? "" : ` (${recipe})`;
  const tuned = tunedOn === null ? "" : `, of best F1 on ${basename(tunedOn)}`;
  const unscored = files.reduce((sum, { unscored }) => sum + unscored, 0);
  return [
    "",
    `${margin}F1  ${colors.bold(colors.green(estimate(averageF1)))}  ${harmless(verifier + read)}`,
    `${margin}A step is taken to be wrong below ${score3(threshold)}${harmless(tuned)}.`,
    "",
    colors.dim(row("", "", "errors found", "correct passed", "F1")),
    ...files.map(({ file, solutions, errorAccuracy, correctAccuracy, f1 }) =>
      row(shortened(file), grouped(solutions), ...[errorAccuracy, correctAccuracy, f1].map(estimate)),
    ),
    ...(unscored === 0 ? [] : ["", `${margin}${missed(unscored)}`]),
  ].map((line) => line.trimEnd());
}

function missed(count: number): string {
  const [subject, verb] = count === 1 ? ["1 solution does", "counts"] : [`${grouped(count)} solutions do`, "count"];
  return `${subject} not fit the verifier's context and ${verb} as missed.`;
}

function row(name: string, count: string, ...cells: readonly string[]): string {
  return `${margin}${name.padEnd(nameWidth)}${count.padStart(6)}${cells.map((cell) => cell.padStart(17)).join("")}`;
}

function shortened(file: string): string {
  const name = harmless(basename(file).replace(/(\.(jsonl?|parquet|gz))+$/, ""));
  return name.length < nameWidth ? name : `${name.slice(0, nameWidth - 2)}…`;
}

function estimate({ mean, low, high }: Estimate): string {
  if (Number.isNaN(mean)) return "-";
  return `${(100 * mean).toFixed(1)} [${(100 * low).toFixed(0)}, ${(100 * high).toFixed(0)}]`;
}
