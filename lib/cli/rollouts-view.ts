/**
 * Labelled steps for people: how many there are, how often they lead to the answer, what they cost.
 *
 * Owns: that page. Pure: from figures to lines.
 * Must not know: how they were found, streams.
 */
import { mean } from "../evaluation/statistics.js";
import type { LabelledQuestion } from "../training/label-steps.js";
import type { RolloutSizes } from "../training/step-rollouts.js";
import { grouped, harmless, type Paper } from "./paper.js";

const margin = "  ";

/** `path`: where they were written. */
export function rolloutsView(
  labelled: readonly LabelledQuestion[],
  { solutions: each, rollouts }: RolloutSizes,
  path: string,
  { colors }: Paper,
): string[] {
  const sum = (of: (question: LabelledQuestion) => number) => labelled.reduce((total, one) => total + of(one), 0);
  const solutions = labelled.flatMap((question) => question.solutions);
  const drawn = solutions.reduce((total, solution) => total + solution.drawn, 0);
  const values = solutions.flatMap(({ right }) => right.slice(0, -1).map((count) => count / rollouts));
  const correct = solutions.filter(({ right }) => right.at(-1) === 1).length;
  const rows: [string, string][] = [
    ["sampled", `${grouped(drawn)} solutions with an answer, of ${grouped(each * labelled.length)}`],
    ["labelled", `${grouped(solutions.length)} different ones, ${share(correct / solutions.length)} of them right`],
    [
      "steps",
      `${grouped(values.length)} before the last; ${share(mean(values.map((value) => Number(value > 0))))} can still ` +
        `end right, ${share(mean(values))} of their rollouts do`,
    ],
    ["rollouts", grouped(sum((question) => question.rollouts))],
    [
      "generator",
      `${grouped(sum(({ cost }) => cost.promptTokens))} prompt + ` +
        `${grouped(sum(({ cost }) => cost.generatedTokens))} generated tokens ` +
        `(${grouped(sum(({ cost }) => cost.coalescedTokens))} shared)`,
    ],
  ];
  return [
    "",
    `${margin}${colors.bold("Step labels")}  ${harmless(path)}`,
    `${margin}${grouped(labelled.length)} ${labelled.length === 1 ? "question" : "questions"}`,
    "",
    ...rows.map(([name, value]) => `${margin}${colors.dim(name.padEnd(11))}${value}`),
    "",
  ];
}

function share(part: number): string {
  return Number.isNaN(part) ? "-" : `${(100 * part).toFixed(1)}%`;
}
