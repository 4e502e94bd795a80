/**
 * Checks and defaults of the strategies' options.
 *
 * Owns: ranges, and messages that say what to do.
 * Must not know: what the options do.
 */
import { ThinkTreeError } from "../errors.js";
import { aggregations, type Aggregation } from "../verifiers/aggregation.js";

/** More branches than any search can use; a slip of the finger beyond it would exhaust the memory. */
const most = 65_536;

export interface SamplingOptions {
  /** Solutions to sample: 1 to 65,536. */
  readonly n: number;
  /** 0 (greedy: all n alike) or more. Default: the tree's own. */
  readonly temperature?: number;
}

export interface ScoredSamplingOptions extends SamplingOptions {
  /** How the scores of a solution's steps become one. Default: the verifier's own. */
  readonly aggregation?: Aggregation;
}

export interface BeamOptions extends ScoredSamplingOptions {
  /** M: the continuations of each survivor. n / M branches survive a step. 1 to n, and n must be a multiple of it. */
  readonly beamWidth: number;
  /** Steps after which the search ends, whole solutions or not: 1 to 65,536. Default 40. */
  readonly maxRounds?: number;
}

export type BeamSettings = BeamOptions & Required<Pick<BeamOptions, "maxRounds">>;

export function checkSampling({ n, temperature }: SamplingOptions): SamplingOptions {
  return { n: checkCount("n", n), ...checkTemperature(temperature) };
}

export function checkScoredSampling(options: ScoredSamplingOptions): ScoredSamplingOptions {
  return { ...checkSampling(options), ...checkAggregation(options.aggregation) };
}

export function checkBeam(options: BeamOptions): BeamSettings {
  const { n, ...sampling } = checkScoredSampling(options);
  const beamWidth = checkCount("beamWidth", options.beamWidth);
  if (n % beamWidth !== 0) {
    const below = n - (n % beamWidth);
    const choices = below > 0 ? `n = ${below} or ${below + beamWidth}` : `n = ${beamWidth}`;
    throw invalid(
      `n must be a multiple of beamWidth, so that n / beamWidth branches survive a step; ` +
        `got n = ${n} and beamWidth = ${beamWidth}: use ${choices}, or a beamWidth that divides ${n}`,
    );
  }
  return { n, beamWidth, ...sampling, maxRounds: checkCount("maxRounds", options.maxRounds ?? 40) };
}

export function checkCount(name: string, value: unknown, least = 1): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw invalid(`${name} must be a whole number from ${least} to ${most}; got ${show(value)}`);
}

export function invalid(message: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", message);
}

function checkTemperature(value: unknown): { temperature?: number } {
  if (value === undefined) return {};
  if (Number.isFinite(value) && (value as number) >= 0) return { temperature: value as number };
  throw invalid(`temperature must be a finite number, 0 or more; got ${show(value)}`);
}

function checkAggregation(value: unknown): { aggregation?: Aggregation } {
  if (value === undefined) return {};
  if (aggregations.includes(value as Aggregation)) return { aggregation: value as Aggregation };
  throw invalid(`aggregation must be one of ${aggregations.join(", ")}; got ${show(value)}`);
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
