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

export interface BeamSearchOptions extends BeamOptions {
  /**
   * Whether branches that end a step before others go on into their next one meanwhile; those that do not survive have
   * written it in vain. The solutions are the same, only the time is not. Without effect where the search has a budget of
   * tokens or flops. Default false.
   */
  readonly workAhead?: boolean;
}

export interface RevisionOptions extends Omit<ScoredSamplingOptions, "n"> {
  /** Chains that run side by side, each of its own: 1 to 65,536. */
  readonly chains: number;
  /** Attempts of a chain, one after the other: 1 to 65,536. At 1 nothing is revised. */
  readonly length: number;
  /** verifier: best-of-N weighted inside the chains, then across them. majority: votes; nothing is scored. Default verifier. */
  readonly select?: RevisionSelection;
  /** What asks for another attempt. Default: the generator's own, or plain words. */
  readonly separator?: string;
  /** Earlier attempts in view, the latest ones: 1 to 65,536. Default: the generator's own, or 4. */
  readonly maxAttempts?: number;
}

export type RevisionSelection = (typeof revisionSelections)[number];
const revisionSelections = ["verifier", "majority"] as const;

export type BeamSettings = BeamSearchOptions & Required<Pick<BeamOptions, "maxRounds">>;

export function checkSampling({ n, temperature }: SamplingOptions): SamplingOptions {
  return { n: checkCount("n", n), ...checkTemperature(temperature) };
}

export function checkScoredSampling(options: ScoredSamplingOptions): ScoredSamplingOptions {
  return { ...checkSampling(options), ...checkAggregation(options.aggregation) };
}

export function checkBeam(options: BeamOptions): BeamSettings {
  const { n, ...sampling } = checkScoredSampling(options);
  const { beamWidth } = options;
  checkDivides("beamWidth", beamWidth, n, "n / beamWidth branches survive a step");
  return { n, beamWidth, ...sampling, maxRounds: checkCount("maxRounds", options.maxRounds ?? 40) };
}

export function checkBeamSearch({ workAhead, ...options }: BeamSearchOptions): BeamSettings {
  if (workAhead !== undefined && typeof workAhead !== "boolean") {
    throw invalid(`workAhead must be true or false; got ${show(workAhead)}`);
  }
  return { ...checkBeam(options), ...(workAhead && { workAhead }) };
}

export function checkRevisions(options: RevisionOptions): RevisionOptions & { readonly select: RevisionSelection } {
  const { maxAttempts, select = "verifier" } = options;
  if (!revisionSelections.includes(select)) {
    throw invalid(`select must be one of ${revisionSelections.join(", ")}; got ${show(select)}`);
  }
  return {
    chains: checkCount("chains", options.chains),
    length: checkCount("length", options.length),
    select,
    ...checkSeparator(options.separator),
    ...(maxAttempts !== undefined && { maxAttempts: checkCount("maxAttempts", maxAttempts) }),
    ...checkTemperature(options.temperature),
    ...checkAggregation(options.aggregation),
  };
}

export function checkSeparator(value: unknown): { separator?: string } {
  if (value === undefined) return {};
  if (typeof value === "string" && value !== "") return { separator: value };
  throw invalid(`separator must be a text that asks for another attempt; got ${show(value)}`);
}

/** How many times `value` goes into n. */
export function checkDivides(name: string, value: unknown, n: number, purpose: string): number {
  const size = checkCount(name, value);
  if (checkCount("n", n) % size === 0) return n / size;
  const below = n - (n % size);
  const choices = below > 0 ? `n = ${below} or ${below + size}` : `n = ${size}`;
  throw invalid(
    `n must be a multiple of ${name}, so that ${purpose}; ` +
      `got n = ${n} and ${name} = ${size}: use ${choices}, or a ${name} that divides ${n}`,
  );
}

export function checkCount(name: string, value: unknown, least = 1): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw invalid(`${name} must be a whole number from ${least} to ${most}; got ${show(value)}`);
}

export function invalid(message: string): ThinkTreeError {
  return new ThinkTreeError("INVALID_OPTION", message);
}

export function checkTemperature(value: unknown): { temperature?: number } {
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
