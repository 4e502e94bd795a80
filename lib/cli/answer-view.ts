/**
 * An answer for people: the solution with its scores, the answers it was chosen from, and what it cost.
 *
 * Owns: that page. Pure: from an answer to lines.
 * Must not know: how it was found, streams.
 */
import type { Answer, Decision } from "../scheduler/solve-options.js";
import { floatingPointOperations, gauge, grouped, harmless, score3, seconds, wrap, type Paper } from "./paper.js";

const margin = "  ";
const mostAnswers = 5;

export function answerView(found: Answer, paper: Paper): string[] {
  const blocks = [stepsView(found, paper), verdict(found, paper), answersView(found, paper), costView(found, paper)];
  return blocks.filter((block) => block.length > 0).flatMap((block) => ["", ...block.map((line) => line.trimEnd())]);
}

/** The chosen solution, each step beside its score. */
export function stepsView({ steps }: Pick<Answer, "steps">, paper: Paper): string[] {
  const scored = steps.some(({ score }) => score !== null);
  const blank = scored ? `${gauge(null, paper)}${margin}` : "";
  return steps.flatMap(({ text, score }) =>
    wrap(text.replace(/\n+$/, ""), paper.columns - margin.length - blank.length).map(
      (line, i) => `${margin}${i === 0 && scored ? `${gauge(score, paper)}${margin}` : blank}${line}`,
    ),
  );
}

const early = {
  complete: undefined,
  budget: "the token budget is spent: the best so far",
  deadline: "time is up: the best so far",
  stopped: "stopped: the best so far",
} as const satisfies Record<Answer["finishReason"], string | undefined>;

function verdict({ answer, steps, candidates, finishReason }: Answer, { columns, colors }: Paper): string[] {
  const notes: (string | undefined)[] = [early[finishReason]];
  if (steps.length === 0) notes.push("nothing was written yet");
  else if (candidates[0]?.finished === false) notes.push("the solution is unfinished");
  else if (answer === null) notes.push("the solution states no final answer");
  const aside = notes.filter((note) => note !== undefined).join("; ");
  const shown = answer === null ? colors.yellow("none") : colors.bold(colors.green(shorten(answer, columns - 30)));
  return [`${margin}${colors.bold("Answer")}  ${shown}${aside && colors.dim(`  (${aside})`)}`];
}

/** The answers in competition, one a row. Nothing to show if all solutions agree on one, or state none. */
function answersView({ candidates }: Answer, { columns, colors }: Paper): string[] {
  const rows = new Map<string, { weight: number; solutions: number; best: number | null }>();
  for (const { answer, weight, score } of candidates) {
    if (answer === null) continue;
    const row = rows.get(answer);
    // Candidates come best first, so the first of an answer has its highest weight and score.
    if (row) row.solutions++;
    else rows.set(answer, { weight, solutions: 1, best: score });
  }
  const without = candidates.filter(({ answer }) => answer === null).length;
  if (rows.size === 0 || (rows.size === 1 && without === 0 && candidates.length === 1)) return [];
  const width = Math.min(Math.max(16, ...[...rows.keys()].map((answer) => answer.length)), columns - 42);
  const line = (answer: string, weight: string, solutions: string, best: string) =>
    `${margin}${answer.padEnd(width)}${weight.padStart(12)}${solutions.padStart(12)}${best.padStart(14)}`;
  const shown = [...rows].slice(0, mostAnswers);
  const hidden = rows.size - shown.length;
  return [
    colors.dim(line("Answers", "weight", "solutions", "best score")),
    ...shown.map(([answer, { weight, solutions, best }]) =>
      line(shorten(answer, width), decimals(weight), grouped(solutions), best === null ? "" : score3(best)),
    ),
    ...(hidden > 0 ? [colors.dim(`${margin}and ${grouped(hidden)} more`)] : []),
    ...(without > 0 ? [colors.dim(line("none", "", grouped(without), ""))] : []),
  ];
}

/** The ledger. */
export function costView({ strategy, decision, seed, ledger }: Answer, { columns, colors }: Paper): string[] {
  const settings = Object.entries(strategy.options)
    .filter(([name]) => name !== "maxRounds")
    .map(([name, value]) => `${words(name)} ${String(value)}`);
  const rows: [string, string][] = [
    ["search", [strategy.name, ...settings, `seed ${seed}`].join(", ")],
    ...(decision === null ? [] : [["chosen", decisionView(decision)] as [string, string]]),
    [
      "generator",
      `${grouped(ledger.promptTokens)} prompt + ${grouped(ledger.generatedTokens)} generated tokens` +
        `${ledger.coalescedTokens > 0 ? ` (${grouped(ledger.coalescedTokens)} shared)` : ""}, ` +
        `${grouped(ledger.kvCellsPeak)} KV cells`,
    ],
  ];
  if (ledger.verifierPromptTokens + ledger.verifierTokens > 0) {
    rows.push([
      "verifier",
      `${grouped(ledger.verifierPromptTokens)} prompt + ${grouped(ledger.verifierTokens)} scored tokens, ` +
        `${grouped(ledger.verifierKvCellsPeak)} KV cells`,
    ]);
  }
  if (ledger.referenceTokens > 0) {
    rows.push(["reference", `${grouped(ledger.referenceTokens)} tokens read by the verifier's reference model`]);
  }
  if (ledger.speculatedTokens > 0) {
    const { speculatedTokens: all, speculatedKept: kept } = ledger;
    rows.push(["speculated", `${grouped(all)} tokens decoded on speculation, ${grouped(kept)} of them kept`]);
  }
  if (ledger.draftTokens > 0) {
    rows.push(["draft", `${grouped(ledger.draftTokens)} tokens decoded by the draft model`]);
  }
  rows.push(
    [
      "tree",
      `${grouped(ledger.treeTokensPeak)} distinct tokens at peak, ${grouped(ledger.recomputedTokens)} recomputed`,
    ],
    [
      "cost",
      `${seconds(ledger.milliseconds)}, ${grouped((ledger.generatedTokens * 1_000) / Math.max(1, ledger.milliseconds))} tokens/s, ` +
        floatingPointOperations(ledger.flops),
    ],
  );
  const name = 11;
  return rows.flatMap(([head, text]) =>
    wrap(text, columns - margin.length - name).map(
      (line, i) => `${margin}${colors.dim((i === 0 ? head : "").padEnd(name))}${line}`,
    ),
  );
}

function decisionView({ difficulty, bin, stopped, rounds }: Decision): string {
  const where = difficulty === null || bin === null ? [] : [`difficulty ${difficulty.toFixed(2)}, bin ${bin + 1}`];
  const runs = rounds.map(({ strategy: name, generations }) => `${name} ${generations}`).join(", then ");
  const why = { agreement: "the answers agree", share: "the verifier is sure" } as const;
  return [...where, runs, ...(stopped === null ? [] : [`enough: ${why[stopped]}`])].join("; ");
}

/** beamWidth → beam width. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`);
}

/** Votes as they are, sums of scores to three digits. */
function decimals(weight: number): string {
  return Number.isInteger(weight) ? grouped(weight) : score3(weight);
}

function shorten(text: string, width: number): string {
  const line = harmless(text).replace(/\s+/g, " ");
  return line.length <= width ? line : `${line.slice(0, Math.max(1, width - 1))}…`;
}
