/**
 * From answered questions to the rows of the table.
 *
 * Owns: what a method that only chooses among samples reaches with some of one large sample, and its share of the cost.
 * Must not know: engines, how the table looks.
 */
import { chanceRight, type Choice } from "#lib/evaluation/estimators.js";
import type { QuestionRecord } from "#lib/evaluation/records.js";
import { tokensOf } from "#lib/evaluation/sharing.js";
import { mean } from "#lib/evaluation/statistics.js";

/** One strategy over all questions. */
export interface Run {
  readonly records: readonly QuestionRecord[];
  /** A question, from the wall clock of all. */
  readonly milliseconds: number;
}

/** One method at one N, over all questions in the order of the data set. */
export interface MethodResult {
  readonly method: string;
  readonly n: number;
  /** The chance of a right answer to each question: 0 or 1 for a single run. */
  readonly right: readonly number[];
  /** A question, on average. */
  readonly generatedTokens: number;
  readonly verifierTokens: number;
  readonly milliseconds: number;
  /** Mean accuracy of the sampling methods at as many generated tokens. */
  readonly equalTokens?: { readonly samples: number; readonly majority: number; readonly weighted: number };
}

export function searchedResult(method: string, n: number, { records, milliseconds }: Run): MethodResult {
  return {
    ...{ method, n, milliseconds },
    right: records.map(({ right }) => Number(right)),
    generatedTokens: mean(records.map(({ ledger }) => ledger.generatedTokens)),
    verifierTokens: mean(records.map(({ ledger }) => ledger.verifierTokens)),
  };
}

/** `sampled`: the run of best-of-N that all sampling methods share. */
export function sampledResult(method: Choice, n: number, sampled: Run): MethodResult {
  const whole = searchedResult(method, n, sampled);
  const samples = sampled.records.map((record) => record.samples!);
  const tokens = (k: number) => mean(sampled.records.map(({ sharing }) => tokensOf(sharing!, k)));
  const share = tokens(n) / tokens(samples[0]!.length);
  return {
    ...{ method, n, milliseconds: whole.milliseconds * share, generatedTokens: whole.generatedTokens * share },
    right: samples.map((drawn) => chanceRight(method, drawn, n)),
    verifierTokens: method === "majority" ? 0 : whole.verifierTokens * share,
  };
}
