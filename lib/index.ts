/** The public surface of thinktree. What is not exported here may change without notice. */
export { Engine } from "./scheduler/engine.js";
export type { Answer, Budget, Progress, SolveOptions } from "./scheduler/solve.js";
export type { EngineOptions } from "./engine/options.js";
export type { EngineStats, Ledger, LoadedModels, ModelInfo } from "./engine/addon.js";
export type { SamplerOptions } from "./engine/codec.js";
export type { Tree, TreeOptions } from "./engine/tree.js";
export type { Branch, ExtendOptions, FinishReason, SearchTree, Step } from "./engine/search-tree.js";
export {
  beamSearch,
  bestOfN,
  canGrow,
  defineStrategy,
  dvts,
  lookaheadSearch,
  majorityVote,
  strategyByName,
  strategyNames,
  strategyWithin,
  weightedBestOfN,
} from "./strategies/index.js";
export type {
  BeamOptions,
  LookaheadOptions,
  RoundReport,
  SamplingOptions,
  ScoredSamplingOptions,
  SearchContext,
  Strategy,
  StrategyName,
} from "./strategies/index.js";
export type { Aggregation } from "./verifiers/aggregation.js";
export { rankByScore, rankByVotes, rankByWeightedScore, type Candidate } from "./verifiers/selection.js";
export { solutionsOf, type Solution } from "./verifiers/solution.js";
export { ThinkTreeError, type ErrorCode } from "./errors.js";
