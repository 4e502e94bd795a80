/**
 * One number of branches, measured once: the first token, then steps until every branch is long enough.
 *
 * Owns: what is inside of each time that is taken, and what is not.
 * Must not know: the other rounds, percentiles.
 */
import type { EngineStats } from "../engine/addon.js";
import type { EngineCore } from "../engine/engine-core.js";
import type { MeasuredRound, Spent } from "./results.js";
import { openTree, takeStep, type Workload } from "./workload.js";

export interface RoundOptions {
  readonly branches: number;
  readonly steps: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** A step, or the first token, is done. */
  readonly onStep: () => void;
}

/** @throws {ThinkTreeError} CANCELLED: the signal; DECODE_FAILED, BAD_LOGITS */
export async function measureRound(core: EngineCore, work: Workload, options: RoundOptions): Promise<MeasuredRound> {
  const firstTokenMs = await firstToken(core, work, options);
  options.onStep();
  return { firstTokenMs, ...(await steps(core, work, options)) };
}

/**
 * From the prompt's text to the first token, which all branches draw from one row. JavaScript hears of a branch when its
 * step ends; a budget of one token ends it there, before anything more is decoded.
 */
async function firstToken(core: EngineCore, work: Workload, { branches, seed, signal }: RoundOptions): Promise<number> {
  const begun = performance.now();
  await using tree = await openTree(core, work, { seed, signal, tokenBudget: 1 });
  await tree.extend(tree.fork(tree.root, branches), { steps: Infinity });
  return performance.now() - begun;
}

async function steps(core: EngineCore, work: Workload, options: RoundOptions) {
  const { branches: count, seed, signal, onStep } = options;
  const score = core.models.verifier !== undefined;
  await using tree = await openTree(core, work, { seed, signal });
  // One branch reads the prompt into both caches, and is forgotten.
  tree.release(await takeStep(tree, tree.fork(tree.root, 1), score));
  const before = await tree.ledger();
  let branches = tree.fork(tree.root, count);
  const stats = core.stats();
  const stepMs: number[] = [];
  let residentBytes = 0;
  for (let step = 0; step < options.steps; step++) {
    const begun = performance.now();
    branches = await takeStep(tree, branches, score);
    stepMs.push(performance.now() - begun);
    residentBytes = Math.max(residentBytes, process.memoryUsage.rss());
    onStep();
  }
  const spent = spentBetween(stats, core.stats());
  const after = await tree.ledger();
  const { kvCellsPeak, verifierKvCellsPeak } = after;
  return {
    ...{ stepMs, ...spent, kvCellsPeak, verifierKvCellsPeak },
    // Line breaks are contexts, and those count as prompt.
    tokens: after.promptTokens - before.promptTokens + after.generatedTokens - before.generatedTokens,
    recomputedTokens: after.recomputedTokens - before.recomputedTokens,
    residentMib: residentBytes / 2 ** 20,
  };
}

function spentBetween(before: EngineStats, after: EngineStats): Spent {
  const passed = (name: keyof EngineStats) => after[name] - before[name];
  return {
    decodeMs: passed("decodeMs") + passed("prefillMs"),
    decodes: passed("decodes"),
    sampleMs: passed("sampleMs"),
    planMs: passed("planMs"),
    verifyMs: passed("verifyMs"),
    verifierDecodes: passed("verifierDecodes"),
    verifierTokens: passed("verifierTokens"),
  };
}
