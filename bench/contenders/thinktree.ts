/**
 * The decode work on thinktree.
 *
 * Owns: one measured run in this process. Must not know: the other contenders, how often it is run.
 */
import { Engine, type EngineStats } from "thinktree";

import { answer } from "../support/child.js";
import { loopDelayDuring } from "../support/loop-delay.js";
import { peakRssMb, type DecodeResult, type DecodeWork } from "./work.js";

async function measure(work: DecodeWork): Promise<DecodeResult> {
  const cells = work.promptTokens + work.branches * work.length;
  const engine = await Engine.load({
    generator: work.model,
    verifier: null,
    threads: work.threads,
    kvCells: Math.ceil((cells + 256) / 256) * 256,
  });
  await generate(engine, { ...work, prompt: "Warm.", length: 2 });

  const before = engine.stats();
  const begun = performance.now();
  let generatedTokens = 0;
  let totalMs = 0;
  const loopDelay = await loopDelayDuring(async () => {
    generatedTokens = await generate(engine, work);
    totalMs = performance.now() - begun;
  });
  const stats = difference(engine.stats(), before);

  // JavaScript hears of a branch when its step ends, never of a token; so the first token is a run of its own.
  const again = performance.now();
  await generate(engine, { ...work, length: 1 });
  const firstTokenMs = performance.now() - again;
  await engine.close();
  const { prefillMs } = stats;
  return { totalMs, prefillMs, firstTokenMs, generatedTokens, peakRssMb: peakRssMb(), loopDelay, stats };
}

/** Without a delimiter the whole continuation is one step, and its length is its end. */
async function generate(engine: Engine, { prompt, branches, length, sampler, seed }: DecodeWork): Promise<number> {
  const tree = await engine.openTree({
    ...{ prompt, verifierPrompt: "", seed, sampler, maxLength: length },
    ...{ tokenBudget: undefined, deadlineMs: undefined, steps: { delimiters: [] }, finalPrefix: "", stop: [] },
  });
  const continuations = tree.fork(tree.root, branches);
  await tree.extend(continuations, { steps: Infinity });
  await tree.close();
  return continuations.flatMap(({ steps }) => steps).reduce((sum, { tokens }) => sum + tokens, 0);
}

function difference(after: EngineStats, before: EngineStats): EngineStats {
  const names = Object.keys(after) as (keyof EngineStats)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as EngineStats;
}

await answer(measure);
