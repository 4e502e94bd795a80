/**
 * What the experiments say, as lines of points: the numbers behind every figure and finding.
 *
 * Owns: accuracies by method, budget and bin, with intervals; the compute-optimal curves; matching FLOPs.
 * Must not know: pictures, words.
 */
import { tokensAlone } from "../evaluation/sharing.js";
import { bootstrap, mean, quantileBins } from "../evaluation/statistics.js";
import { crossValidated, quantileEdges, type Looks } from "../training/fit-policy.js";
import { lookedAt } from "../training/policy-from-records.js";
import { contendersOf, looksAt, type Contender } from "../training/records.js";
import type { Point, Series } from "./data.js";
import type { Measured } from "./experiments.js";

export const bins = 5;

/** A method at one cost, question by question. */
export interface Outcomes {
  readonly name: string;
  readonly budget: number;
  /** The chance of a right answer to each question. */
  readonly right: readonly number[];
  /** Generated tokens of each question; what branches write alike counts once. */
  readonly tokens: readonly number[];
}

export interface Results {
  /** Every search method at every budget. */
  readonly methods: readonly Outcomes[];
  /** Weighted best-of-N at the cost of samples that share nothing: what it costs elsewhere. */
  readonly unshared: readonly Outcomes[];
  /** Chosen by difficulty on the other half of the questions, by estimate: oracle, score, question. */
  readonly optimal: readonly Outcomes[];
  /** The same as `engine.solve` does it, with a policy fitted on other questions and every token counted. */
  readonly served: readonly Outcomes[];
  /** Each question's difficulty bin by the oracle, 0 the easiest. */
  readonly bin: readonly number[];
  readonly pass1: readonly number[];
}

const tolerance = 0.01;
export const weightedName = "weighted-best-of-n";

export function resultsOf({ records, served, policy }: Measured, budgets: readonly number[], seed: number): Results {
  const contenders = contendersOf(records, budgets);
  const pass1 = records.map(({ samples }) => mean(samples.map(({ right }) => Number(right))));
  const oracle = pass1.map((share) => 1 - share);
  const looks = lookedAt(records, policy.probes, oracle, seed).by;
  const by: [string, Looks | undefined][] = [
    ["oracle", records.map((record) => looksAt(record, "oracle", policy.probes))],
    ["predicted", looks.score],
    ["question only", looks.question],
  ];
  const optimal = by.flatMap(([name, own]) =>
    own === undefined
      ? []
      : budgets.map((budget) => ({
          ...{ name: `compute-optimal, ${name}`, budget },
          ...crossValidated(contenders, own, quantileEdges(own, bins), budget, { budgets, tolerance, seed }),
        })),
  );
  const methods = contenders.map((one) => ({ ...one, name: nameOf(one), budget: one.generations }));
  return {
    methods,
    unshared: methods.flatMap(({ name, budget, right }) =>
      name === weightedName
        ? [
            {
              ...{ name: `${weightedName}, nothing shared`, budget, right },
              tokens: records.map(({ sharing }) => tokensAlone(sharing, budget)),
            },
          ]
        : [],
    ),
    optimal,
    served: served.map(({ estimate, budget, evaluation: { records: answered } }) => ({
      name: `served, ${estimate === "question" ? "question only" : "predicted"}`,
      budget,
      right: answered.map(({ right }) => Number(right)),
      tokens: answered.map(({ ledger }) => ledger.generatedTokens),
    })),
    bin: quantileBins(oracle, bins),
    pass1,
  };
}

function nameOf({ strategy, settings, generations }: Contender): string {
  const { beamWidth, lookahead } = settings;
  if (beamWidth === undefined) return strategy;
  const width = beamWidth === 4 ? "M = 4" : beamWidth ** 2 === generations ? "M = √N" : `M = ${beamWidth}`;
  return lookahead === undefined ? `${strategy}, ${width}` : `${strategy} k = ${lookahead}, ${width}`;
}

/** The questions of one bin; all of them without one. */
export function membersOf({ bin }: Results, wanted?: number): number[] {
  return bin.flatMap((own, i) => (wanted === undefined || own === wanted ? [i] : []));
}

/** One point: the accuracy over some questions at a mean cost. */
export function pointOf(x: number, right: readonly number[], members: readonly number[]): Point {
  const { mean: y, low, high } = bootstrap(members.map((i) => right[i]!));
  return { x, y, low, high };
}

/** One line a method, in ascending x. */
export function linesOf(
  outcomes: readonly Outcomes[],
  members: readonly number[],
  x: (outcome: Outcomes) => number,
): Series[] {
  const names = [...new Set(outcomes.map(({ name }) => name))];
  return names.map((name) => ({
    name,
    points: outcomes
      .filter((outcome) => outcome.name === name)
      .map((outcome) => pointOf(x(outcome), outcome.right, members))
      .sort((a, b) => a.x - b.x),
  }));
}

export const meanTokens = ({ tokens }: Outcomes): number => mean(tokens);

export function find(outcomes: readonly Outcomes[], name: string, budget: number): Outcomes | undefined {
  return outcomes.find((outcome) => outcome.name === name && outcome.budget === budget);
}

/**
 * How many generations of the small model cost as much as one of the large, pretraining included: m = M + (X/Y)(M - 1),
 * X = 6 N D_pretrain and Y = 2 N D_inference, so that X/Y = 3/R with R = D_inference / D_pretrain (Snell et al. 2024, sec.
 * 7, arXiv text). The ICLR text counts the verifier in Y = 4 N D_inference: X/Y = 1.5/R.
 */
export function matchedGenerations(sizes: number, r: number, form: "arXiv" | "ICLR"): number {
  return sizes + ((form === "arXiv" ? 3 : 1.5) / r) * (sizes - 1);
}

/** The paper's ratios of inference to pretraining tokens, for each of its two forms. */
export const ratios = { arXiv: [0.16, 0.79, 22], ICLR: [0.08, 0.4, 11] } as const;
