/**
 * The strategies by name, for command lines, servers and schedulers.
 *
 * Owns: the names, the defaults, and how many solutions a budget of generations pays for.
 * Must not know: any strategy's insides.
 */
import type { Aggregation } from "../verifiers/aggregation.js";
import { beamAfterAttempt } from "./beam-after-attempt.js";
import { beamSearch } from "./beam-search.js";
import { bestOfN } from "./best-of-n.js";
import { dvts } from "./dvts.js";
import { lookaheadSearch } from "./lookahead-search.js";
import { majorityVote } from "./majority-vote.js";
import { checkCount, checkDivides, invalid, type RevisionSelection } from "./options.js";
import { reviseSurvivors } from "./revise-survivors.js";
import { revisions } from "./revisions.js";
import type { Strategy } from "./strategy.js";
import { weightedBestOfN } from "./weighted-best-of-n.js";

export {
  beamAfterAttempt,
  beamSearch,
  bestOfN,
  dvts,
  lookaheadSearch,
  majorityVote,
  reviseSurvivors,
  revisions,
  weightedBestOfN,
};
export { usualRevision, type Revision } from "./attempts.js";
export type { BeamAfterAttemptOptions } from "./beam-after-attempt.js";
export type { LookaheadOptions } from "./lookahead-search.js";
export type {
  BeamOptions,
  BeamSearchOptions,
  RevisionOptions,
  SamplingOptions,
  ScoredSamplingOptions,
} from "./options.js";
export type { ReviseSurvivorsOptions } from "./revise-survivors.js";
export { canGrow, defineStrategy, type RoundReport, type SearchContext, type Strategy } from "./strategy.js";

export interface StrategySettings {
  /** Solutions to sample. All attempts of revisions; without the revisions and attempts of the hybrids. */
  readonly n: number;
  /** Beam, lookahead, dvts, hybrids. Default 4, or n if that is less. The paper also used sqrt(n). */
  readonly beamWidth?: number;
  /** Beam and dvts. Default false. */
  readonly workAhead?: boolean;
  /** Lookahead only. Default 1. */
  readonly lookahead?: number;
  /** Revisions only: attempts of a chain, one after the other; n / length chains. Default: the power of two up to sqrt(n). */
  readonly length?: number;
  /** Revisions only. Default verifier. */
  readonly select?: RevisionSelection;
  readonly temperature?: number;
  /** All but majority. */
  readonly aggregation?: Aggregation;
}

const usualBeamWidth = 4;
const usualLookahead = 1;
const usualLength = (n: number) => 2 ** Math.floor(Math.log2(Math.sqrt(n)));

const beamOf = (settings: StrategySettings) => ({
  ...settings,
  beamWidth: settings.beamWidth ?? Math.min(usualBeamWidth, settings.n),
});

/** The beam width that a strategy has which can pay for `affordable` solutions. */
const widthWithin = (affordable: number, { beamWidth }: Partial<StrategySettings>) =>
  checkCount("beamWidth", beamWidth ?? Math.max(1, Math.min(usualBeamWidth, affordable)));

/** Which settings each strategy has besides n and temperature, how it is made of them, and what n comes at. */
const registry = {
  majority: { takes: [], make: majorityVote },
  "best-of-n": { takes: ["aggregation"], make: bestOfN },
  "weighted-best-of-n": { takes: ["aggregation"], make: weightedBestOfN },
  beam: {
    takes: ["aggregation", "beamWidth", "workAhead"],
    make: (settings) => beamSearch(beamOf(settings)),
    portion: (generations, settings) => even(widthWithin(generations, settings)),
  },
  lookahead: {
    takes: ["aggregation", "beamWidth", "lookahead"],
    make: (settings) => lookaheadSearch({ ...beamOf(settings), lookahead: settings.lookahead ?? usualLookahead }),
    portion: (generations, settings) => {
      const each = checkCount("lookahead", settings.lookahead ?? usualLookahead, 0) + 1;
      const width = widthWithin(Math.floor(generations / each), settings);
      return { n: width, generations: width * each };
    },
  },
  dvts: {
    takes: ["aggregation", "beamWidth", "workAhead"],
    make: (settings) => dvts(beamOf(settings)),
    portion: (generations, settings) => even(widthWithin(generations, settings)),
  },
  revisions: {
    takes: ["aggregation", "length", "select"],
    make: ({ n, length = usualLength(n), ...settings }) =>
      revisions({ ...settings, chains: checkDivides("length", length, n, "there are n / length chains"), length }),
    portion: (generations, { length = usualLength(generations) }) => even(checkCount("length", length)),
  },
  // A beam search, and a revision for each of the n / beamWidth that survive a step.
  "revise-survivors": {
    takes: ["aggregation", "beamWidth"],
    make: (settings) => {
      const { n, beamWidth } = beamOf(settings);
      const search = beamSearch({ ...settings, beamWidth });
      return reviseSurvivors({ search, revise: n / beamWidth, temperature: settings.temperature });
    },
    portion: (generations, settings) => {
      const width = widthWithin(generations - 1, settings);
      return { n: width, generations: width + 1 };
    },
  },
  "beam-after-attempt": {
    takes: ["aggregation", "beamWidth"],
    make: (settings) => beamAfterAttempt(beamOf(settings)),
    portion: (generations, settings) => ({ ...even(widthWithin(generations - 1, settings)), once: 1 }),
  },
} as const satisfies Record<string, Entry>;

interface Entry {
  readonly takes: readonly (keyof StrategySettings)[];
  readonly make: (settings: StrategySettings) => Strategy;
  /** Left out: n is any number, a generation each. */
  readonly portion?: (generations: number, settings: Omit<StrategySettings, "n">) => Portion;
}

/** n is a multiple of the portion's. */
interface Portion {
  readonly n: number;
  readonly generations: number;
  /** Generations paid besides, whatever n is. */
  readonly once?: number;
}

function even(n: number): Portion {
  return { n, generations: n };
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
 * The largest such strategy that a budget pays for; n is rounded down to a multiple of the beam width or of the chains'
 * length. Its `generations` never exceed the budget.
 *
 * @throws {ThinkTreeError} INVALID_OPTION, also if the budget pays for no search at all.
 */
export function strategyWithin(
  generations: number,
  name: StrategyName,
  settings: Omit<StrategySettings, "n"> = {},
): Strategy {
  const n = sizeWithin(generations, name, settings);
  if (n > 0) return strategyByName(name, { ...settings, n });
  const { once = 0, generations: least } = portionOf(generations, name, settings);
  throw invalid(`${generations} generations are too few for ${name}: it needs at least ${least + once}`);
}

/** The n of `strategyWithin`; 0 if the budget pays for no such search. @throws {ThinkTreeError} INVALID_OPTION */
export function sizeWithin(
  generations: number,
  name: StrategyName,
  settings: Omit<StrategySettings, "n"> = {},
): number {
  const { once = 0, ...portion } = portionOf(generations, name, settings);
  return Math.max(0, Math.floor((generations - once) / portion.generations) * portion.n);
}

function portionOf(generations: number, name: StrategyName, settings: Omit<StrategySettings, "n">): Portion {
  checkCount("generations", generations);
  const entry: Entry = entryOf(name);
  return entry.portion?.(generations, settings) ?? even(1);
}

function entryOf(name: string): Entry {
  const entry = Object.hasOwn(registry, name) ? registry[name as StrategyName] : undefined;
  if (!entry) throw invalid(`unknown strategy ${JSON.stringify(name)}: use one of ${strategyNames.join(", ")}`);
  return entry;
}
