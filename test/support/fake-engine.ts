/**
 * Real engines over the fake backend, for tests of everything between the addon and the strategies.
 *
 * Owns: usual options. Must not know: what is tested.
 */
import { EngineCore } from "../../lib/engine/engine-core.js";
import type { EngineOptions } from "../../lib/engine/options.js";
import type { TreeOptions } from "../../lib/engine/tree.js";

/** The whole of test/engine runs with the engine in this process; what is named in vitest.config.ts, also with it in its own. */
export const isolation = process.env["THINKTREE_TEST_ISOLATION"] === "process" ? ("process" as const) : undefined;

export type Fake = Exclude<Extract<EngineOptions["generator"], { fake: unknown }>["fake"], undefined>;

/** A generator and a likelihood verifier that are the same toy. Every decode takes `decodeMicroseconds`, if given. */
export function loadFake(generator: Fake = {}, verifier: Fake | null = {}): Promise<EngineCore> {
  return EngineCore.load({ generator: { fake: generator }, verifier: verifier && { fake: verifier }, isolation });
}

/** A generator with a draft model that is the same toy, but for every so many tokens (`strayEvery`). */
export function loadDrafting(draft: Fake & { tokens?: number; branches?: number } = {}): Promise<EngineCore> {
  const { tokens = 4, branches = 4, ...fake } = draft;
  return EngineCore.load({ generator: { fake: {} }, verifier: null, draft: { fake, tokens, branches }, isolation });
}

export function treeOptions(options: Partial<TreeOptions> = {}): TreeOptions {
  return {
    prompt: "1+2?",
    verifierPrompt: "1+2?",
    seed: 7,
    tokenBudget: undefined,
    deadlineMs: undefined,
    maxLength: undefined,
    steps: { delimiters: ["\n"] },
    finalPrefix: "",
    stop: [],
    sampler: { temperature: 1, topK: 0, topP: 1, minP: 0 },
    ...options,
  };
}

/** Aborts when the engine has done `decodes` more: a search is interrupted where a test means it, however busy the machine. */
export function abortAfter(engine: Pick<EngineCore, "stats">, decodes: number): AbortSignal {
  const controller = new AbortController();
  const until = engine.stats().decodes + decodes;
  const watch = () => {
    if (engine.stats().decodes >= until) controller.abort();
    else setImmediate(watch);
  };
  watch();
  return controller.signal;
}
