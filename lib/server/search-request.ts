/**
 * From a request to a search.
 *
 * Owns: what OpenAI's parameters are to the engine; the caps on one request.
 * Must not know: HTTP, queues, what is answered.
 */
import { usualGenerations, type Budget } from "../scheduler/budget.js";
import type { ChatTurn, Question } from "../scheduler/conversation.js";
import type { SolveOptions } from "../scheduler/solve-options.js";
import { strategyWithin, type Strategy } from "../strategies/index.js";
import type { Weight } from "./admission.js";
import { ApiError } from "./api-error.js";
import { searchByName } from "./model-names.js";
import type { ChatRequest, CommonRequest, CompletionRequest, Extension } from "./request-schemas.js";

export interface RequestLimits {
  /** Generations of one search. */
  readonly branches: number;
  /** Generated tokens of one search; undefined: as many as its branches can write. */
  readonly tokens?: number | undefined;
  readonly milliseconds: number;
}

export interface SearchRequest {
  readonly question: Question;
  readonly options: SolveOptions;
  readonly weight: Weight;
  /** Candidates to answer with. */
  readonly choices: number;
}

export function chatQuestion({ messages }: ChatRequest): Question {
  return messages.map(({ role, content }): ChatTurn => {
    const text = typeof content === "string" ? content : content.map((part) => part.text).join("");
    return { role: role === "developer" ? "system" : role, content: text };
  });
}

export function completionQuestion({ prompt }: CompletionRequest): Question {
  return typeof prompt === "string" ? prompt : prompt[0]!;
}

/**
 * `positions`: the longest text that the generator can hold.
 * @throws {ApiError} 400, 404; {ThinkTreeError} INVALID_OPTION: settings that the strategy does not have
 */
export function searchOf(
  question: Question,
  request: CommonRequest & Pick<ChatRequest, "max_completion_tokens">,
  limits: RequestLimits,
  positions: number,
): SearchRequest {
  const extension = request.thinktree ?? {};
  const { estimate, earlyStop, guards, topK, minP } = extension;
  const budget = budgetOf(request, extension, limits);
  const { generations } = budget;
  const strategy = strategyOf(request, extension, generations);
  const choices = request.n ?? 1;
  if (choices > generations) {
    throw new ApiError(400, `n: the search's budget is ${generations} generations: ask for no more candidates`, {
      param: "n",
    });
  }
  const { seed, temperature, top_p: topP, stop } = request;
  const maxLength = request.max_tokens ?? undefined;
  return {
    question,
    choices,
    weight: {
      branches: generations,
      tokens: budget.tokens ?? generations * Math.min(positions, maxLength ?? positions),
    },
    options: {
      ...{ strategy, budget, estimate, earlyStop, guards, topK, minP, maxLength },
      temperature: temperature ?? undefined,
      topP: topP == null ? undefined : Math.max(topP, leastTopP),
      stopTexts: [stop ?? []].flat(),
      seed: seed == null ? undefined : seed < 0 ? seed + 2 ** 53 : seed,
    },
  };
}

/** Clients may say 0 where the likeliest token alone is meant. */
const leastTopP = 1e-6;

function strategyOf(request: CommonRequest, extension: Extension, generations: number): Strategy | undefined {
  const { beamWidth, workAhead, lookahead, length, select, aggregation } = extension;
  const name = extension.strategy ?? searchByName(request.model).strategy;
  const settings = Object.entries({ beamWidth, workAhead, lookahead, length, select, aggregation });
  const own = settings.filter(([, value]) => value !== undefined);
  if (name !== undefined) return strategyWithin(generations, name, Object.fromEntries(own));
  if (own.length === 0) return undefined;
  const [setting] = own[0]!;
  const param = `thinktree.${setting}`;
  throw new ApiError(400, `${param}: the policy chooses it: leave it out, or name a strategy`, { param });
}

/** Caps that the request leaves open are the server's. */
function budgetOf(
  request: CommonRequest & Pick<ChatRequest, "max_completion_tokens">,
  extension: Extension,
  limits: RequestLimits,
): Budget & { readonly generations: number } {
  const budget: Budget = extension.budget ?? {};
  const named = searchByName(request.model).generations;
  if (named !== undefined && budget.generations !== undefined && named !== budget.generations) {
    const param = "thinktree.budget.generations";
    throw new ApiError(400, `${param}: the model's name says ${named}: say it in one place`, { param });
  }
  const asked = named ?? budget.generations;
  const wanted = smaller(budget.tokens, request.max_completion_tokens ?? undefined);
  const tokens = within("tokens", wanted, limits.tokens);
  return {
    ...{ flops: budget.flops, tokens: tokens ?? limits.tokens },
    generations: within("generations", asked, limits.branches) ?? Math.min(usualGenerations, limits.branches),
    milliseconds: within("milliseconds", budget.milliseconds, limits.milliseconds) ?? limits.milliseconds,
  };
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a !== undefined && b !== undefined ? Math.min(a, b) : (a ?? b);
}

function within(unit: keyof Budget, wanted: number | undefined, most: number | undefined): number | undefined {
  if (wanted === undefined || most === undefined || wanted <= most) return wanted;
  throw new ApiError(400, `the budget is ${wanted} ${unit}: this server allows a request ${most}`, {
    param: `thinktree.budget.${unit}`,
    code: "too_large",
  });
}
