/**
 * The strategies by name, for command lines, servers and schedulers.
 *
 * Owns: the names, the defaults, and how many solutions a budget of generations pays for.
 * Must not know: any strategy's insides.
 */
import type { Aggregation } from "../verifiers/aggregation.js";
import { beamSearch } from "./beam-search.js";
import { bestOfN } from "./best-of-n.js";
import { dvts } from "./dvts.js";
import { lookaheadSearch } from "./lookahead-search.js";
import { majorityVote } from "./majority-vote.js";
import { checkCount, invalid } from "./options.js";
import type { Strategy } from "./strategy.js";
import { weightedBestOfN } from "./weighted-best-of-n.js";

export { beamSearch, bestOfN, dvts, lookaheadSearch, majorityVote, weightedBestOfN };
export type { LookaheadOptions } from "./lookahead-search.js";
export type { BeamOptions, SamplingOptions, ScoredSamplingOptions } from "./options.js";
export { canGrow, defineStrategy, type RoundReport, type SearchContext, type Strategy } from "./strategy.js";

export interface StrategySettings {
  readonly n: number;
  /** Beam, lookahead, dvts. Default 4, or n if that is less. The paper also used sqrt(n). */
  readonly beamWidth?: number;
  /** Lookahead only. Default 1. */
  readonly lookahead?: number;
  readonly temperature?: number;
  /** All but majority. */
  readonly aggregation?: Aggregation;
}

const usualBeamWidth = 4;
const usualLookahead = 1;

const widthOf = ({ n, beamWidth = Math.min(usualBeamWidth, n) }: StrategySettings) => beamWidth;

/** Which settings each strategy has besides n and temperature, and how it is made of them. */
const registry = {
  majority: { takes: [], make: majorityVote },
  "best-of-n": { takes: ["aggregation"], make: bestOfN },
  "weighted-best-of-n": { takes: ["aggregation"], make: weightedBestOfN },
  beam: {
    takes: ["aggregation", "beamWidth"],
    make: (settings) => beamSearch({ ...settings, beamWidth: widthOf(settings) }),
  },
  lookahead: {
    takes: ["aggregation", "beamWidth", "lookahead"],
    make: ({ lookahead = usualLookahead, ...settings }) =>
      lookaheadSearch({ ...settings, beamWidth: widthOf(settings), lookahead }),
  },
  dvts: {
    takes: ["aggregation", "beamWidth"],
    make: (settings) => dvts({ ...settings, beamWidth: widthOf(settings) }),
  },
} as const satisfies Record<string, Entry>;

interface Entry {
  readonly takes: readonly (keyof StrategySettings)[];
  readonly make: (settings: StrategySettings) => Strategy;
}

export type StrategyName = keyof typeof registry;

export const strategyNames = Object.keys(registry) as readonly StrategyName[];

/** @throws {ThinkTreeError} INVALID_OPTION for an unknown name, a bad value, or a setting this strategy does not have. */
export function strategyByName(name: StrategyName, settings: StrategySettings): Strategy {
  const entry = entryOf(name);
  for (const [key, value] of Object.entries(settings)) {
    if (value !== undefined && !["n", "temperature", ...entry.takes].includes(key)) {
      throw invalid(`${name} has no ${key}; leave it out`);
    }
  }
  return entry.make(settings);
}

/**
 * The largest such strategy that a budget pays for: n = floor(generations / (lookahead + 1)), rounded down to a
 * multiple of the beam width. Its `generations` never exceed the budget.
 *
 * @throws {ThinkTreeError} INVALID_OPTION, also if the budget pays for no search at all.
 */
export function strategyWithin(
  generations: number,
  name: StrategyName,
  settings: Omit<StrategySettings, "n"> = {},
): Strategy {
  checkCount("generations", generations);
  const takes: Entry["takes"] = entryOf(name).takes;
  const each = takes.includes("lookahead") ? checkCount("lookahead", settings.lookahead ?? usualLookahead, 0) + 1 : 1;
  const affordable = Math.floor(generations / each);
  const width = takes.includes("beamWidth")
    ? checkCount("beamWidth", settings.beamWidth ?? Math.max(1, Math.min(usualBeamWidth, affordable)))
    : 1;
  const n = Math.floor(affordable / width) * width;
  if (n < 1) throw invalid(`${generations} generations are too few for ${name}: it needs at least ${each * width}`);
  return strategyByName(name, { ...settings, n });
}

function entryOf(name: string): Entry {
  const entry = Object.hasOwn(registry, name) ? registry[name as StrategyName] : undefined;
  if (!entry) throw invalid(`unknown strategy ${JSON.stringify(name)}: use one of ${strategyNames.join(", ")}`);
  return entry;
}
