/**
 * The paper's findings, each held against what was measured.
 *
 * Owns: the claims, and what counts as reproduced: the 95% interval of a paired difference lies on the claimed side of
 * zero. On the other side: not reproduced. Around zero: unclear here.
 * Must not know: pictures.
 */
import { bootstrapDifference, mean, type Estimate } from "../evaluation/statistics.js";
import type { Finding, Reach, Verdict } from "./data.js";
import type { Measured } from "./experiments.js";
import { flopsLines, reachesOf } from "./reproduction-figures.js";
import {
  bins,
  find,
  matchedGenerations,
  membersOf,
  meanTokens,
  ratios,
  weightedName,
  type Outcomes,
  type Results,
} from "./results.js";

export function findingsOf(measured: Measured, results: Results, budgets: readonly number[]): Finding[] {
  const low = budgets.find((budget) => budget > 1)!;
  const high = Math.max(...budgets);
  const weighted = (budget: number) => find(results.methods, weightedName, budget)!;
  const beam = (budget: number) => find(results.methods, "beam, M = 4", budget)!;
  const all = membersOf(results);
  const easy = [...membersOf(results, 0), ...membersOf(results, 1)];
  const hardest = membersOf(results, bins - 1);
  return [
    compared(
      `Beam search beats best-of-N at a low budget (N = ${low}).`,
      "sec. 5.3, fig. 3",
      beam(low),
      weighted(low),
      all,
      1,
    ),
    compared(
      `At the highest budget (N = ${high}) beam search no longer beats best-of-N.`,
      "sec. 5.3, fig. 3",
      beam(high),
      weighted(high),
      all,
      -1,
    ),
    compared(
      `On easy questions (bins 1 and 2) beam search gets worse with a larger budget (N = ${high} against ${low}).`,
      "sec. 5.3, fig. 3",
      beam(high),
      beam(low),
      easy,
      -1,
    ),
    ...lookahead(results, weighted, all),
    compared(
      "Weighted best-of-N beats the majority vote at the highest budget.",
      "sec. 5.2, app. E",
      weighted(high),
      find(results.methods, "majority", high)!,
      all,
      1,
    ),
    nothingHelps(measured, results, hardest, high),
    ...fourTimes(results, weighted(high)),
    predictedAsOracle(results, budgets),
    predicts(measured, results),
    ...revisionFindings(measured, results),
    ...flopsFindings(measured, results),
  ];
}

/** `side`: 1 if a is claimed to be above b, -1 if below. */
function compared(
  claim: string,
  source: string,
  a: Outcomes,
  b: Outcomes,
  members: readonly number[],
  side: 1 | -1,
): Finding {
  const difference = bootstrapDifference(
    members.map((i) => a.right[i]!),
    members.map((i) => b.right[i]!),
  );
  const evidence =
    `${a.name} at ${a.budget}: ${percent(average(a, members))}, ${b.name} at ${b.budget}: ${percent(average(b, members))}; ` +
    `difference ${points(difference)}`;
  return { claim, source, verdict: verdictOf(difference, side), evidence };
}

/** Means of many subsets are not exactly 1 where all are right. */
const rounding = 1e-9;

function verdictOf({ low, high }: Estimate, side: 1 | -1): Verdict {
  const [least, most] = side === 1 ? [low, high] : [-high, -low];
  return least > rounding ? "reproduced" : most < -rounding ? "not reproduced" : "unclear here";
}

function lookahead(results: Results, weighted: (budget: number) => Outcomes, all: readonly number[]): Finding[] {
  const runs = results.methods.filter(({ name }) => name.startsWith("lookahead"));
  const run = runs.at(-1);
  if (run === undefined) return [];
  return [
    compared(
      "Lookahead search is below best-of-N at equal generations.",
      "sec. 5.3, fig. 3",
      run,
      weighted(run.budget),
      all,
      -1,
    ),
  ];
}

function nothingHelps({ greedy }: Measured, results: Results, hardest: readonly number[], high: number): Finding {
  const one = { name: "greedy", budget: 1, tokens: [], right: greedy.small.records.map(({ right }) => Number(right)) };
  const best = results.methods
    .filter(({ budget }) => budget === high)
    .reduce((a, b) => (average(b, hardest) > average(a, hardest) ? b : a));
  const claim = "On the hardest questions (bin 5) no method makes much progress.";
  return compared(claim, "sec. 5.3, fig. 3", best, one, hardest, -1);
}

/** The paper's claim, like with like; and the product's, against samples that share nothing. */
function fourTimes(results: Results, baseline: Outcomes): Finding[] {
  const [shared, unshared] = (["shared", "unshared"] as const).map((how) => reachesOf(results, baseline.budget, how));
  const kinds = [
    ["compute-optimal, predicted", "cost of estimating left out, as in the paper"],
    ["served, predicted", "everything counted"],
    ["served, question only", "everything counted"],
  ] as const;
  return kinds.flatMap(([name, how]) => {
    const lines = [...results.optimal, ...results.served].filter((one) => one.name === name);
    if (lines.length === 0) return [];
    const best = lines.reduce((a, b) => (mean(b.right) > mean(a.right) ? b : a));
    const against = (reaches: readonly Reach[], claim: string, source: string): Finding => {
      const reach = reaches.find(({ series }) => series === name);
      const factor = reach === undefined ? 0 : reach.baseline.x / reach.x;
      const shown = lines.find((line) => meanTokens(line) === reach?.x) ?? best;
      const evidence =
        (reach === undefined
          ? `its best, ${percent(mean(best.right))} at ${Math.round(meanTokens(best))} tokens, is below ${percent(mean(baseline.right))}`
          : `${Math.round(reach.x)} against ${Math.round(reach.baseline.x)} tokens a question: ${factor.toFixed(1)} times fewer`) +
        `; difference ${points(bootstrapDifference(shown.right, baseline.right))}`;
      return { claim, source, verdict: factor >= 4 ? "reproduced" : "not reproduced", evidence };
    };
    const claim = `Compute-optimal (${name.split(", ")[1]!}; ${how}) reaches best-of-${baseline.budget} with 4 times less`;
    return [
      against(shared!, `${claim}.`, "sec. 5.3, fig. 4"),
      against(unshared!, `${claim} than samples that share nothing.`, "this engine"),
    ];
  });
}

function predictedAsOracle(results: Results, budgets: readonly number[]): Finding {
  const high = Math.max(...budgets);
  const [oracle, predicted] = ["oracle", "predicted"].map((by) =>
    find(results.optimal, `compute-optimal, ${by}`, high)!,
  );
  const difference = bootstrapDifference(predicted!.right, oracle!.right);
  return {
    claim: "Predicted difficulty serves nearly as well as the oracle's.",
    source: "sec. 5.3, fig. 4",
    verdict: difference.low > -0.05 ? "reproduced" : difference.high < -0.05 ? "not reproduced" : "unclear here",
    evidence: `at ${high} generations: difference ${points(difference)}; nearly: less than 5 points`,
  };
}

function predicts({ policy }: Measured, { pass1, served }: Results): Finding {
  const spearman = policy.calibration["spearman"] as Record<string, number> | undefined;
  const shown = Object.entries(spearman ?? {}).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  return {
    claim: "Difficulty can be predicted without knowing answers.",
    source: "sec. 3.2",
    verdict: shown.length > 0 && Math.max(...Object.values(spearman!)) > 0.5 ? "reproduced" : "unclear here",
    evidence:
      shown.length > 0
        ? `Spearman with the oracle on the calibration questions: ${shown.join(", ")}`
        : `no fitted policy; ${served.length} served runs, ${pass1.length} questions`,
  };
}

function revisionFindings({ revised }: Measured, results: Results): Finding[] {
  const n = Math.max(...revised.map((one) => one.n));
  const at = (length: number): Outcomes => {
    const { records } = revised.find((one) => one.n === n && one.length === length)!.evaluation;
    const right = records.map((record) => Number(record.right));
    return { name: `${n / length} chains of ${length}`, budget: n, right, tokens: [] };
  };
  const lengths = revised.filter((one) => one.n === n).map(({ length }) => length);
  const best = (members: readonly number[]) =>
    lengths.map(at).reduce((a, b) => (average(b, members) > average(a, members) ? b : a));
  const all = membersOf(results);
  const easy = [...membersOf(results, 0), ...membersOf(results, 1)];
  const hard = [...membersOf(results, 2), ...membersOf(results, 3)];
  const middle = best(hard);
  return [
    compared("Some sequential revision beats sampling in parallel.", "sec. 6.2, fig. 7", best(all), at(1), all, 1),
    compared("On easy questions fully sequential revision is best.", "sec. 6.2, fig. 7", at(n), at(1), easy, 1),
    {
      claim: "On harder questions (bins 3 and 4) a ratio between the extremes is best.",
      source: "sec. 6.2, fig. 7",
      verdict: middle.name !== at(1).name && middle.name !== at(n).name ? "unclear here" : "not reproduced",
      evidence: lengths.map((length) => `${at(length).name}: ${percent(average(at(length), hard))}`).join("; "),
    },
  ];
}

function flopsFindings(measured: Measured, results: Results): Finding[] {
  const { parameters, greedy } = measured;
  const sizes = parameters.large / parameters.generator;
  const one = mean(greedy.small.records.map(({ ledger }) => ledger.flops));
  const lines = flopsLines(measured, results);
  const large = {
    name: `${sizes.toFixed(0)}× model, greedy`,
    budget: 1,
    tokens: [],
    right: greedy.large.records.map(({ right }) => Number(right)),
  };
  return ratios.arXiv.flatMap((r) => {
    const flops = matchedGenerations(sizes, r, "arXiv") * one;
    const within = lines.filter((line) => line.flops <= flops).at(-1);
    if (within === undefined) return [];
    const small = { name: "small model with search", budget: within.budget, tokens: [], right: within.right };
    return Array.from({ length: bins }, (_, bin) => {
      const hard = bin >= 3;
      const claim = `R = ${r}, bin ${bin + 1}: ${hard ? "the larger model is the better buy" : "test-time compute is the better buy"}.`;
      return compared(claim, "sec. 7, fig. 9", small, large, membersOf(results, bin), hard ? -1 : 1);
    });
  });
}

function average({ right }: Outcomes, members: readonly number[]): number {
  return mean(members.map((i) => right[i]!));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function points({ mean: value, low, high }: Estimate): string {
  return `${(100 * value).toFixed(1)} points [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}
