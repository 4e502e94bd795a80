/**
 * The figures of the reproduction, in the order of the paper.
 *
 * Owns: which lines stand in which figure, titles and captions.
 * Must not know: how anything was measured or is drawn.
 */
import { mean } from "../evaluation/statistics.js";
import type {
  BinsFigure,
  BudgetFigure,
  Figure,
  FlopsFigure,
  FrontierFigure,
  RatioFigure,
  Reach,
  Star,
} from "./data.js";
import type { Measured } from "./experiments.js";
import {
  bins,
  linesOf,
  matchedGenerations,
  meanTokens,
  membersOf,
  pointOf,
  ratios,
  weightedName,
  type Outcomes,
  type Results,
} from "./results.js";

const binName = (bin: number) => `bin ${bin + 1}${bin === 0 ? " (easiest)" : bin === bins - 1 ? " (hardest)" : ""}`;
const eachBin = Array.from({ length: bins }, (_, bin) => bin);

function searchFigure(results: Results, command: string): BudgetFigure {
  const series = linesOf(results.methods, membersOf(results), ({ budget }) => budget);
  return {
    ...{ kind: "budget", id: "search-methods", command, x: "generations per question" },
    title: "Search methods against budget",
    caption:
      "Every method with the same verifier. Methods that only choose among samples are averaged over subsets of one large " +
      "sample. Intervals: 95%, bootstrap over questions. Cf. fig. 3, left.",
    panels: [{ name: "all questions", series }],
  };
}

function binsFigure(results: Results, command: string): BinsFigure {
  const shown = results.methods.filter(
    ({ budget, name }) =>
      (budget > 1 && !/√N|lookahead|best-of-n$/.test(name)) || (name === weightedName && budget > 1),
  );
  return {
    ...{ kind: "bins", id: "by-difficulty", command, x: "generations per question" },
    title: "The same by difficulty",
    caption: "Five bins of equal size by the generator's own pass@1 (oracle difficulty). Cf. fig. 3, right.",
    panels: eachBin.map((bin) => ({
      name: binName(bin),
      series: linesOf(shown, membersOf(results, bin), ({ budget }) => budget),
    })),
  };
}

function ratioFigure({ revised }: Measured, results: Results, command: string): RatioFigure {
  const totals = [...new Set(revised.map(({ n }) => n))];
  const line = (n: number, members: readonly number[]) =>
    revised
      .filter((one) => one.n === n)
      .map(({ length, evaluation }) =>
        pointOf(
          length / (n / length),
          evaluation.records.map(({ right }) => Number(right)),
          members,
        ),
      );
  const largest = Math.max(...totals);
  return {
    ...{ kind: "ratio", id: "revisions", command, x: "sequential / parallel attempts" },
    title: "Revisions: sequential against parallel",
    caption:
      `Chains of revisions by the reviser, chosen among by the verifier. Left: all questions, by total attempts. ` +
      `Right: ${largest} attempts, by difficulty. Cf. fig. 7.`,
    panels: [
      {
        name: "all questions",
        series: totals.map((n) => ({ name: `${n} attempts`, points: line(n, membersOf(results)) })),
      },
      {
        name: `${largest} attempts, by difficulty`,
        series: eachBin.map((bin) => ({ name: binName(bin), points: line(largest, membersOf(results, bin)) })),
      },
    ],
  };
}

function optimalFigure(results: Results, command: string): FrontierFigure {
  const all = membersOf(results);
  const baselines = results.methods.filter(({ name }) => name === weightedName || name === "majority");
  const shown = [...baselines, ...results.unshared, ...results.optimal, ...results.served];
  return {
    ...{ kind: "frontier", id: "compute-optimal", command, x: "generated tokens per question" },
    title: "Compute-optimal against best-of-N",
    caption:
      "Compute-optimal lines: the strategy for each difficulty bin and budget, chosen on one half of the questions and " +
      "measured on the other; estimating difficulty is free, as in the paper. Served lines: engine.solve with the shipped " +
      "policy, which was fitted on other questions; its probes and early stops count. What samples write alike is written " +
      "once and counts once, except on the line where nothing is shared: that is what they cost elsewhere. Cf. figs. 4 and 8.",
    panels: [{ name: "all questions", series: linesOf(shown, all, meanTokens) }],
    reaches: reachesOf(results, largestBudget(results), "unshared"),
  };
}

/** Where each line comes to the level of weighted best-of-`n`, whose samples share what they write alike, or nothing. */
export function reachesOf(results: Results, n: number, sharing: "shared" | "unshared"): Reach[] {
  const lines = sharing === "shared" ? results.methods : results.unshared;
  const weighted = lines.find(({ name, budget }) => name.startsWith(weightedName) && budget === n)!;
  const baseline = { x: meanTokens(weighted), y: mean(weighted.right) };
  const names = [...new Set([...results.optimal, ...results.served].map(({ name }) => name))];
  return names.flatMap((series) => {
    const line = [...results.optimal, ...results.served].filter(({ name }) => name === series);
    const there = line
      .filter(({ right }) => mean(right) >= baseline.y)
      .sort((a, b) => meanTokens(a) - meanTokens(b))[0];
    if (there === undefined) return [];
    const x = meanTokens(there);
    return [{ series, x, baseline, label: `${(baseline.x / x).toFixed(1)}× fewer tokens` }];
  });
}

function largestBudget({ unshared }: Results): number {
  return Math.max(...unshared.map(({ budget }) => budget));
}

function flopsFigure(measured: Measured, results: Results, command: string): FlopsFigure {
  const { parameters, greedy } = measured;
  const sizes = parameters.large / parameters.generator;
  const forms = ["arXiv", "ICLR"] as const;
  const lines = flopsLines(measured, results);
  const one = mean(greedy.small.records.map(({ ledger }) => ledger.flops));
  const right = greedy.large.records.map((record) => Number(record.right));
  const stars: Star[] = forms.flatMap((form) =>
    ratios[form].flatMap((r) =>
      eachBin.map((bin) => ({
        ...pointOf(matchedGenerations(sizes, r, form) * one, right, membersOf(results, bin)),
        ...{ panel: panelOf(form), series: binName(bin), label: `R = ${r}` },
      })),
    ),
  );
  return {
    ...{ kind: "flops", id: "flops-matched", command, x: "FLOPs per question, both models" },
    title: `Test-time compute against a model ${sizes.toFixed(1)} times the size`,
    caption:
      "Lines: the small model with search, chosen among by the verifier (its FLOPs counted). Stars: the larger model's one " +
      "greedy solution, placed at the FLOPs that the small model may spend on a question so that pretraining and inference " +
      "together cost the same, for three ratios R of inference to pretraining tokens. Where the line is above the star, test-time compute is the better buy. Cf. fig. 9.",
    starName: `${sizes.toFixed(0)}× larger model, greedy`,
    stars,
    panels: forms.map((form) => ({
      name: panelOf(form),
      series: eachBin.map((bin) => ({
        name: binName(bin),
        points: lines.map(({ flops, right }) => pointOf(flops, right, membersOf(results, bin))),
      })),
    })),
  };
}

const panelOf = (form: "arXiv" | "ICLR") =>
  form === "arXiv" ? "verifier not counted in R (arXiv)" : "verifier counted in R (ICLR)";

/** Best of what was measured at each budget over all questions: the small model's line, with its FLOPs a question. */
export function flopsLines(
  { parameters, greedy }: Measured,
  results: Results,
): { budget: number; flops: number; right: readonly number[] }[] {
  const prompt = mean(greedy.small.records.map(({ ledger }) => ledger.promptTokens));
  const predicted = results.optimal.filter(({ name }) => name === "compute-optimal, predicted");
  const cost = ({ tokens }: Outcomes) => 2 * (parameters.generator + parameters.verifier) * (prompt + mean(tokens));
  return predicted.map((outcome) => ({ budget: outcome.budget, flops: cost(outcome), right: outcome.right }));
}

export function allFigures(
  measured: Measured,
  results: Results,
  command: string,
): Record<"search" | "revisions" | "optimal" | "flops", Figure[]> {
  return {
    search: [searchFigure(results, command), binsFigure(results, command)],
    revisions: [ratioFigure(measured, results, command)],
    optimal: [optimalFigure(results, command)],
    flops: [flopsFigure(measured, results, command)],
  };
}
