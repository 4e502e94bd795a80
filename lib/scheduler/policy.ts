/**
 * A policy: for every difficulty bin and budget, the strategy that answered best in calibration.
 *
 * Owns: the file's format and checks, looking a choice up, the policy for models nobody has calibrated.
 * Must not know: how a policy is fitted, how a search runs.
 *
 * Source: Snell et al. 2024, sec. 3.1: theta*(q, N), the compute-optimal strategy for a question and a budget.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";

import { parseOptions, ThinkTreeError } from "../errors.js";
import { strategyNames, type StrategyName, type StrategySettings } from "../strategies/index.js";
import { estimates, probeSchema, type Estimate } from "./difficulty.js";

export const policyVersion = 2;

const share = z.number().min(0).max(1);
const count = z.number().int().nonnegative();

const entrySchema = z.strictObject({
  /** The budget, in generations, that this is the choice for. */
  budget: z.number().int().positive(),
  /** What the strategy costs: at most the budget, and less where more would buy nothing. */
  generations: z.number().int().positive(),
  strategy: z.enum(strategyNames as readonly [StrategyName, ...StrategyName[]]),
  settings: z.strictObject({
    beamWidth: count.optional(),
    lookahead: count.optional(),
    length: count.optional(),
  }),
  /** Right answers in calibration, with their 95% interval; null where nothing was measured. */
  accuracy: share.nullable(),
  low: share.nullable(),
  high: share.nullable(),
  /** Generated tokens a question, on average. */
  tokens: z.number().nonnegative().nullable(),
});

const binSchema = z.strictObject({
  /** Difficulties below this belong to this bin or an easier one; the last bin's is 1. */
  upTo: share,
  /** Questions it was fitted on. */
  questions: count,
  entries: z.array(entrySchema).min(1),
});

const policySchema = z.strictObject({
  format: z.literal("thinktree-policy"),
  version: z.literal(policyVersion),
  /** Null: for any models. */
  models: z.strictObject({ generator: z.string(), verifier: z.string().nullable() }).nullable(),
  calibration: z.record(z.string(), z.unknown()),
  /** Of the generator's sampling, everywhere: what was fitted at one temperature does not hold at another. */
  temperature: z.number().min(0).max(100),
  stop: z.strictObject({ agreement: share.nullable(), share: share.nullable() }),
  /** Which estimate decides unless the caller names one. */
  estimate: z.enum(estimates),
  /** Solutions sampled before the score and the agreement are looked at. */
  probes: z.number().int().positive(),
  /** Bins by estimate, easiest first. */
  bins: z.partialRecord(z.enum(estimates), z.array(binSchema).min(1)),
  /** All questions together: for budgets that pay for no estimate. */
  overall: binSchema,
  questionProbe: probeSchema.nullable(),
});

export type Policy = z.infer<typeof policySchema>;
export type PolicyBin = z.infer<typeof binSchema>;
export type PolicyEntry = z.infer<typeof entrySchema>;

/** @throws {ThinkTreeError} INVALID_OPTION: no such file, no JSON, or not a policy of this version. */
export async function readPolicy(path: string): Promise<Policy> {
  let stored: unknown;
  try {
    stored = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? "is not JSON" : `cannot be read (${(cause as Error).message})`;
    throw new ThinkTreeError("INVALID_OPTION", `the policy ${path} ${why}: make one with "thinktree calibrate"`, {
      cause,
    });
  }
  try {
    return checkPolicy(stored);
  } catch (error) {
    throw new ThinkTreeError("INVALID_OPTION", `${path} is no policy of version ${policyVersion}: ${String(error)}`);
  }
}

/** @throws {ThinkTreeError} INVALID_OPTION */
export function checkPolicy(value: unknown): Policy {
  const policy = parseOptions(policySchema, value);
  if (policy.bins[policy.estimate] === undefined)
    throw new ThinkTreeError("INVALID_OPTION", `estimate is "${policy.estimate}", and there are no bins for it`);
  return policy;
}

/** @throws {ThinkTreeError} INVALID_OPTION if the policy was fitted for others and not `force`. */
export function assertFits(policy: Policy, models: NonNullable<Policy["models"]>, force: boolean): void {
  if (force || policy.models === null) return;
  for (const role of ["generator", "verifier"] as const) {
    if (policy.models[role] === models[role]) continue;
    throw new ThinkTreeError(
      "INVALID_OPTION",
      `the policy was fitted for another ${role}: fit one for these models with "thinktree calibrate", or force this one`,
    );
  }
}

/** The bins of an estimate, and which of them a difficulty falls into: from 0, the easiest. */
export function binsOf(policy: Policy, estimate: Estimate): readonly PolicyBin[] {
  const bins = policy.bins[estimate];
  if (bins !== undefined) return bins;
  const known = Object.keys(policy.bins).join(", ");
  throw new ThinkTreeError("INVALID_OPTION", `the policy has no bins by ${estimate}, only by ${known}`);
}

export function binIndex(bins: readonly PolicyBin[], difficulty: number): number {
  const index = bins.findIndex(({ upTo }) => difficulty < upTo);
  return index < 0 ? bins.length - 1 : index;
}

export interface Choice {
  readonly strategy: StrategyName;
  readonly settings: Omit<StrategySettings, "n">;
  /** In all, solutions already sampled included. */
  readonly generations: number;
}

/**
 * What a bin does with a budget: its entry for the largest budget within it. Between two budgets the lower one's strategy
 * grows to the budget if it used all of its own; below the smallest, its strategy shrinks to it.
 */
export function choose(bin: PolicyBin, generations: number): Choice {
  const entry = bin.entries.findLast(({ budget }) => budget <= generations) ?? bin.entries[0]!;
  const { strategy, settings } = entry;
  const isLast = entry === bin.entries.at(-1);
  const grows = entry.generations === entry.budget && !isLast;
  const size = grows ? generations : Math.min(entry.generations, generations);
  return { strategy, settings: settings as Choice["settings"], generations: size };
}

/** What the bin expects of so many generations: interpolated between its entries; null where nothing was measured. */
export function expectedAccuracy(bin: PolicyBin, generations: number): number | null {
  const points = bin.entries
    .filter(({ accuracy }) => accuracy !== null)
    .map((entry) => [entry.budget, entry.accuracy!] as const);
  const above = points.find(([budget]) => budget >= generations);
  const below = points.findLast(([budget]) => budget <= generations);
  if (above === undefined || below === undefined) return (above ?? below)?.[1] ?? null;
  if (above[0] === below[0]) return above[1];
  const part = Math.log(generations / below[0]) / Math.log(above[0] / below[0]);
  return below[1] + part * (above[1] - below[1]);
}
