/** The public surface of thinktree. What is not exported here may change without notice. */
export { Engine, type ConnectOptions, type Fingerprints, type LoadOptions } from "./scheduler/engine.js";
export type { RemoteGenerator, RemoteModel, RemoteOptions, RemoteVerifier } from "./scheduler/connect.js";
export type { VerifierEngine } from "./remote/remote-core.js";
export type { Answer, Decision, Progress, SolveOptions } from "./scheduler/solve-options.js";
export type { ChatTurn, Question } from "./scheduler/conversation.js";
export type { Budget } from "./scheduler/budget.js";
export type { Estimate } from "./scheduler/difficulty.js";
export { readPolicy, type Policy, type PolicyBin, type PolicyEntry } from "./scheduler/policy.js";
export type { ScoredSolution, ScoreOptions } from "./scheduler/score.js";
export type { SolveAllOptions } from "./scheduler/solve-all.js";
export type { GeneratorFile } from "./scheduler/generator-file.js";
export type { StepRule } from "./scheduler/step-rule.js";
export type { GeneratorRecipe } from "./scheduler/generator-recipe.js";
export type { Download, HubOptions } from "./models/hub.js";
export type { ModelOptions } from "./scheduler/model-options.js";
export type { VerifierFile } from "./scheduler/verifier-recipe.js";
export type { VerifierRecipe } from "./verifiers/recipe.js";
export type { Flag, GuardedCandidate } from "./verifiers/guards.js";
export type { Adapter, IsolationOptions } from "./engine/options.js";
export type {
  Device,
  EngineStats,
  Ledger,
  LoadedModels,
  Lora,
  ModelInfo,
  SpecialToken,
  WeightType,
} from "./engine/addon.js";
export { binary, type Binary } from "./engine/binary.js";
export { inspectModel, type CacheNeed, type InspectOptions, type ModelInspection } from "./engine/inspect-model.js";
export type { SamplerOptions, StepEnd, StepPattern } from "./engine/codec.js";
export type { Tree, TreeOptions } from "./engine/tree.js";
export type { Branch, ExtendOptions, FinishReason, SearchTree, Step } from "./engine/search-tree.js";
export {
  beamAfterAttempt,
  beamSearch,
  bestOfN,
  canGrow,
  defineStrategy,
  dvts,
  lookaheadSearch,
  majorityVote,
  reviseSurvivors,
  revisions,
  strategyByName,
  strategyNames,
  strategyWithin,
  weightedBestOfN,
} from "./strategies/index.js";
export type {
  BeamAfterAttemptOptions,
  BeamOptions,
  BeamSearchOptions,
  LookaheadOptions,
  ReviseSurvivorsOptions,
  Revision,
  RevisionOptions,
  RoundReport,
  SamplingOptions,
  ScoredSamplingOptions,
  SearchContext,
  Strategy,
  StrategyName,
} from "./strategies/index.js";
export type { Aggregation } from "./verifiers/aggregation.js";
export { codeTests, type CodeLanguage, type CodeTestsOptions, type Tests } from "./grading/code-tests.js";
export { customGrader, type Grader, type GraderOptions, type Judge } from "./grading/grader.js";
export { mathGrader, type MathGraderOptions, type MathMode } from "./grading/math-grader.js";
export { exactText, multipleChoice, numeric, type NumericOptions } from "./grading/plain-graders.js";
export { rankByChains, rankByScore, rankByVotes, rankByWeightedScore, type Candidate } from "./verifiers/selection.js";
export { solutionsOf, type AnswerOf, type Solution } from "./verifiers/solution.js";
export { ThinkTreeError, type ErrorCode } from "./errors.js";
