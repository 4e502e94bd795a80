/**
 * What calibration learns about one question.
 *
 * Owns: the shape of the records, how each strategy would have done on a question, what each look at it sees.
 * Must not know: bins, policies, engines.
 */
import type { StrategyName } from "../strategies/index.js";
import { agreementDifficulty, oracleDifficulty, scoreDifficulty } from "../scheduler/difficulty.js";
import { chanceRight, choices, type Sample } from "../evaluation/estimators.js";
import { tokensOf, type Sharing } from "../evaluation/sharing.js";

/** One run of a strategy that searches. */
export interface CalibrationSearch {
  readonly strategy: StrategyName;
  readonly settings: { readonly beamWidth?: number; readonly lookahead?: number; readonly length?: number };
  readonly generations: number;
  readonly right: boolean;
  readonly tokens: number;
}

export interface CalibrationRecord {
  readonly id: string;
  /** In the order of drawing, which must not depend on what they say. */
  readonly samples: readonly Sample[];
  /** How much of their text the samples have in common. */
  readonly sharing: Sharing;
  readonly searches: readonly CalibrationSearch[];
  /** The generator's hidden state at the question's end; null if unknown. */
  readonly state: readonly number[] | null;
}

/** One way to spend a budget, with its outcome on every question. */
export interface Contender {
  readonly strategy: StrategyName;
  readonly settings: CalibrationSearch["settings"];
  readonly generations: number;
  /** Its outcomes are means over many subsets of one sample, and not single runs. */
  readonly averaged: boolean;
  /** By question: the chance that the answer is right, and the tokens it costs. */
  readonly right: readonly number[];
  readonly tokens: readonly number[];
}

/** Every strategy and size that all questions have an outcome for. Sampling ones are subsampled without bias. */
export function contendersOf(records: readonly CalibrationRecord[], budgets: readonly number[]): Contender[] {
  const drawn = Math.min(...records.map(({ samples }) => samples.length));
  const scored = records.every(({ samples }) => samples.some(({ score }) => score !== null));
  const sampled = choices
    .filter((choice) => scored || choice === "majority")
    .flatMap((strategy) =>
      budgets
        .filter((n) => n <= drawn)
        .map((n) => ({
          ...{ strategy, settings: {}, generations: n, averaged: true },
          right: records.map(({ samples }) => chanceRight(strategy, samples, n)),
          tokens: records.map(({ sharing }) => tokensOf(sharing, n)),
        })),
    );
  const first = records[0]?.searches ?? [];
  const searched = first.flatMap((search) => {
    const found = records.map(({ searches }) => searches.find((other) => isSame(search, other)));
    if (found.some((other) => other === undefined)) return [];
    const { strategy, settings, generations } = search;
    const right = found.map((other) => Number(other!.right));
    return [{ strategy, settings, generations, averaged: false, right, tokens: found.map((other) => other!.tokens) }];
  });
  return [...sampled, ...searched];
}

/** The difficulties that separate looks of `probes` samples each see in one question. */
export function looksAt(
  { samples }: CalibrationRecord,
  estimate: "oracle" | "score" | "agreement",
  probes: number,
): number[] {
  if (estimate === "oracle") return [oracleDifficulty(samples.map(({ right }) => right))];
  const look = estimate === "score" ? scoreDifficulty : agreementDifficulty;
  return separateLooks(samples, probes).map((group) => look(group));
}

/** The samples, `probes` at a time; a rest that is fewer is left out. */
export function separateLooks(samples: readonly Sample[], probes: number): Sample[][] {
  return Array.from({ length: Math.floor(samples.length / probes) }, (_, i) =>
    samples.slice(i * probes, (i + 1) * probes),
  );
}

function isSame(a: CalibrationSearch, b: CalibrationSearch): boolean {
  return (
    a.strategy === b.strategy &&
    a.generations === b.generations &&
    a.settings.beamWidth === b.settings.beamWidth &&
    a.settings.lookahead === b.settings.lookahead &&
    a.settings.length === b.settings.length
  );
}
