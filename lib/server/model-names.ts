/**
 * Searches by the names of models, for clients that can choose nothing else.
 *
 * Owns: the names. Must not know: requests, HTTP.
 */
import { strategyNames, type StrategyName } from "../strategies/index.js";
import { ApiError } from "./api-error.js";

export interface NamedSearch {
  /** Undefined: the policy chooses. */
  readonly strategy: StrategyName | undefined;
  /** The budget; undefined: as the request says, or the usual one. */
  readonly generations: number | undefined;
}

const pattern = new RegExp(`^thinktree(?:-(${strategyNames.join("|")}))?(?:-([1-9]\\d{0,4}))?$`);

/** thinktree, thinktree-64, thinktree-beam, thinktree-beam-16. @throws {ApiError} 404 */
export function searchByName(name: string): NamedSearch {
  const [whole, strategy, generations] = pattern.exec(name) ?? [];
  if (whole === undefined) {
    const names = "thinktree, thinktree-16 (a budget in generations), thinktree-beam-16 (a strategy too)";
    throw new ApiError(404, `there is no model ${JSON.stringify(name)}: use ${names}; /v1/models lists more`, {
      code: "model_not_found",
      param: "model",
    });
  }
  return {
    strategy: strategy as StrategyName | undefined,
    generations: generations === undefined ? undefined : Number(generations),
  };
}

/** Those that are listed; others in between work as well. */
export function modelNames(verified: boolean, mostGenerations: number): string[] {
  const sizes = offeredSizes(mostGenerations);
  const named = (stem: string) => [stem, ...sizes.map((size) => `${stem}-${size}`)];
  return ["thinktree", ...offeredStrategies(verified).map((name) => `thinktree-${name}`)].flatMap(named);
}

export function offeredSizes(mostGenerations: number): number[] {
  return [4, 16, 64, 256].filter((size) => size <= mostGenerations);
}

/** Without a verifier there are only votes. */
export function offeredStrategies(verified: boolean): StrategyName[] {
  return strategyNames.filter((name) => verified || name === "majority");
}
