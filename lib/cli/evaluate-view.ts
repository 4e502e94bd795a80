/**
 * An evaluation for people: accuracy, cost, and the curve over smaller numbers of samples.
 *
 * Owns: that page. Pure: from figures to lines.
 * Must not know: how they were found, streams.
 */
import type { Summary } from "../evaluation/curve.js";
import type { Estimate } from "../evaluation/statistics.js";
import { floatingPointOperations, grouped, seconds, type Paper } from "./paper.js";

const margin = "  ";

/** `method`: what answered, in words. */
export function evaluateView(method: string, summary: Summary, { colors }: Paper): string[] {
  const { accuracy, questions } = summary;
  const head = `${margin}${colors.bold("Right")}  ${colors.bold(colors.green(`${percent(accuracy.mean)}%`))}`;
  return [
    "",
    `${head} [${percent(accuracy.low)}, ${percent(accuracy.high)}] of ${grouped(questions)} questions, by ${method}`,
    "",
    ...costRows(summary).map(([name, value]) => `${margin}${colors.dim(name.padEnd(11))}${value}`),
    ...curveRows(summary).map((line, i) => (i < 2 ? colors.dim(line) : line)),
  ].map((line) => line.trimEnd());
}

function costRows({ cost }: Summary): [string, string][] {
  const tokens = (prompt: number, written: number, how: string) =>
    `${grouped(prompt)} prompt + ${grouped(written)} ${how} tokens`;
  return [
    ["a question", `${grouped(cost.generations)} generations`],
    [
      "generator",
      tokens(cost.promptTokens, cost.generatedTokens, "generated") +
        (cost.coalescedTokens > 0 ? ` (${grouped(cost.coalescedTokens)} shared)` : ""),
    ],
    ...(cost.verifierTokens > 0
      ? [["verifier", tokens(cost.verifierPromptTokens, cost.verifierTokens, "scored")] as [string, string]]
      : []),
    ["cost", `${floatingPointOperations(cost.flops)}, ${seconds(cost.milliseconds)} (with others under way)`],
  ];
}

const columns = {
  majority: "majority",
  "best-of-n": "best-of-n",
  "weighted-best-of-n": "weighted",
  pass: "any",
} as const;

/** One row a number of samples, one column a way to choose. */
function curveRows({ curve }: Summary): string[] {
  if (curve.length === 0) return [];
  const names = (Object.keys(columns) as (keyof typeof columns)[]).filter((name) =>
    curve.some(({ choice }) => choice === name),
  );
  const sizes = [...new Set(curve.map(({ k }) => k))];
  const cell = (text: string) => text.padStart(18);
  const row = (name: string, cells: readonly string[]) => `${margin}${name.padStart(5)}${cells.map(cell).join("")}`;
  const found = (k: number, name: string) => curve.find((point) => point.k === k && point.choice === name)!.accuracy;
  return [
    "",
    row(
      "n",
      names.map((name) => columns[name]),
    ),
    ...sizes.map((k) =>
      row(
        grouped(k),
        names.map((name) => range(found(k, name))),
      ),
    ),
  ];
}

/** Whole percents at its ends: four of them fit a line. */
function range({ mean, low, high }: Estimate): string {
  return `${percent(mean)} [${percent(low, 0)}, ${percent(high, 0)}]`;
}

function percent(share: number, digits = 1): string {
  return (100 * share).toFixed(digits);
}
