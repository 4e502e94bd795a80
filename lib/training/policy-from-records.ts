/**
 * A whole policy out of calibration records.
 *
 * Owns: bins by every estimate, the cost of looking, which estimate leads, what the file says of its making.
 * Must not know: engines, files.
 */
import { tokensOf } from "../evaluation/sharing.js";
import { rankCorrelation } from "../evaluation/statistics.js";
import { oracleDifficulty, type Estimate } from "../scheduler/difficulty.js";
import type { Fingerprints } from "../scheduler/engine.js";
import { policyVersion, type Policy } from "../scheduler/policy.js";
import { fitBins, quantileEdges, type FitOptions, type Looks } from "./fit-policy.js";
import { fitStop } from "./fit-stop.js";
import { fitQuestionProbe } from "./question-probe.js";
import { contendersOf, looksAt, type CalibrationRecord, type Contender } from "./records.js";

export interface PolicyOptions extends FitOptions {
  /** How many bins of equal size, or their upper edges as difficulties, ascending and ending in 1. */
  readonly bins: number | readonly number[];
  /** Solutions sampled before the score and the agreement are looked at. */
  readonly probes: number;
  /** That the records were sampled at. */
  readonly temperature: number;
}

export function policyFrom(
  records: readonly CalibrationRecord[],
  models: Fingerprints,
  options: PolicyOptions,
): Policy {
  const { budgets, bins, probes, seed, tolerance } = options;
  const all = contendersOf(records, [...new Set([...budgets, probes])]);
  const contenders = all.filter(({ averaged, generations }) => !averaged || budgets.includes(generations));
  const probed = afterProbes(all, records, probes);
  const oracle = records.map(({ samples }) => oracleDifficulty(samples.map(({ right }) => right)));
  const fit = (looks: Looks, estimate: string) => {
    const edges = typeof bins === "number" ? quantileEdges(looks, bins) : bins;
    if (estimate === "question") return fitBins(contenders, looks, edges, options);
    const sizes = [...new Set([...budgets, ...probed.map(({ generations }) => generations)])].sort((a, b) => a - b);
    const [few, enough] = [sizes.filter((size) => size < probes), sizes.filter((size) => size >= probes)];
    // Who has the probes' budget has drawn them: fewer samples are no choice any more.
    const drawn = probed.filter(({ averaged, generations }) => !averaged || generations >= probes);
    const below = few.length > 0 ? fitBins(probed, looks, edges, { ...options, budgets: few }) : [];
    return fitBins(drawn, looks, edges, { ...options, budgets: enough }).map((bin, i) => ({
      ...bin,
      entries: [...(below[i]?.entries ?? []), ...bin.entries],
    }));
  };

  const looks = lookedAt(records, probes, oracle, seed);
  const correlation = Object.fromEntries(
    Object.entries(looks.by).map(([estimate, own]) => [estimate, meanCorrelation(own, oracle)]),
  );
  const verified = models.verifier !== null;
  return {
    format: "thinktree-policy",
    version: policyVersion,
    models: { ...models },
    calibration: {
      questions: records.length,
      samples: Math.min(...records.map(({ samples }) => samples.length)),
      ...{ seed, tolerance },
      oraclePass1: 1 - oracle.reduce((sum, value) => sum + value, 0) / oracle.length,
      spearman: correlation,
    },
    temperature: options.temperature,
    stop: fitStop(records, probes, tolerance, verified),
    estimate: verified ? "score" : "agreement",
    probes,
    bins: Object.fromEntries(Object.entries(looks.by).map(([estimate, own]) => [estimate, fit(own, estimate)])),
    overall: fitBins(
      contenders,
      records.map(() => [0]),
      [1],
      options,
    )[0]!,
    questionProbe: looks.probe,
  };
}

/**
 * What the contenders cost to a scheduler that has sampled its probes: sampling goes on from them, a search comes on top.
 * That the probes stay in the competition is left out, so that a search is not expected to do better than it did alone.
 */
function afterProbes(
  contenders: readonly Contender[],
  records: readonly CalibrationRecord[],
  probes: number,
): Contender[] {
  const looking = records.map(({ sharing }) => tokensOf(sharing, probes));
  return contenders.map((one) => {
    const { averaged, generations, tokens } = one;
    if (!averaged) {
      return { ...one, generations: generations + probes, tokens: tokens.map((own, i) => own + looking[i]!) };
    }
    if (generations <= probes) return one; // below the probes' budget there are as many probes as it pays for
    // Two rounds: the second writes again what it has in common with the first.
    const inTwo = records.map(({ sharing }, i) => looking[i]! + tokensOf(sharing, generations - probes));
    return { ...one, tokens: inTwo };
  });
}

/** Every estimate that these records allow, with all looks at every question. */
export function lookedAt(
  records: readonly CalibrationRecord[],
  probes: number,
  oracle: readonly number[],
  seed: number,
): { by: Partial<Record<Estimate, Looks>>; probe: Policy["questionProbe"] } {
  const verified = records.some(({ samples }) => samples.some(({ score }) => score !== null));
  const states = records.flatMap(({ state }) => (state === null ? [] : [state]));
  const probe = states.length === records.length ? fitQuestionProbe(states, oracle, seed) : null;
  return {
    probe: probe?.probe ?? null,
    by: {
      ...(verified && { score: records.map((record) => looksAt(record, "score", probes)) }),
      agreement: records.map((record) => looksAt(record, "agreement", probes)),
      ...(probe && { question: probe.predictions.map((value) => [value]) }),
    },
  };
}

/** Spearman's correlation of single looks with the oracle, averaged over the looks. */
function meanCorrelation(looks: Looks, oracle: readonly number[]): number {
  const each = Math.min(...looks.map((own) => own.length));
  const all = Array.from({ length: each }, (_, i) =>
    rankCorrelation(
      looks.map((own) => own[i]!),
      oracle,
    ),
  );
  return all.reduce((sum, value) => sum + value, 0) / all.length;
}
