/**
 * The decode work on node-llama-cpp, at the fastest settings it has.
 *
 * Owns: one measured run in this process. Must not know: the other contenders, how often it is run.
 *
 * What its documentation and code (3.22.1) offer for B continuations of one prompt, and what is used here:
 * - Batching: one context of B sequences, all B generators running at once. The context decodes as soon as all B have
 *   asked; it is created with exactly B sequences, so that it never waits for the next turn of the event loop.
 * - Its context always has a separate KV stream for each sequence (kv_unified is false in its addon), so a prompt
 *   cannot be shared. Three ways to have it in every sequence, chosen by `prefix`:
 *     copy      decode it once, then copy the sequence's state within the context. This is internal
 *               (`_copyStateFromOtherSequence`, used by its LlamaDecisionContext), and the fastest; the default.
 *     file      the same through its public API: saveStateToFile once, loadStateFromFile B - 1 times.
 *     evaluate  let every sequence decode it: what its documentation shows.
 * - `topK: null` instead of 0 for "no truncation". With 0 it adds llama.cpp's top-k sampler with k = vocabulary, a full
 *   sort of 152k entries a token; null drops the sampler.
 * - A fixed seed for each sequence: without one its sampler chain is rebuilt every second.
 * - No flash attention: on a CPU it takes longer with it (`replay --all-ways` has both). A batch of at least the prompt's
 *   size, so that the prompt is one decode; all cores, with no fewer guaranteed; no memory checks; its prebuilt CPU
 *   backend picks the machine's instruction set at run time.
 * - Sampling runs on libuv's threads, in parallel over the sequences; there is one for every core (support/child.ts).
 * - `dispatchSchedule` and `itemPrioritizationStrategy` change nothing here: seen were batches of B - 1 rows throughout,
 *   for its loop decodes again before the sequence sampled last has asked.
 * - No token predictor: there is no draft model for random weights, and with B sequences it has none to gain.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { getLlama, LlamaLogLevel, type LlamaContextSequence, type Token } from "node-llama-cpp";

import { answer } from "../support/child.js";
import { loopDelayDuring } from "../support/loop-delay.js";
import { peakRssMb, type DecodeResult, type DecodeWork } from "./work.js";

async function measure(work: DecodeWork): Promise<DecodeResult> {
  const { branches, promptTokens, length, threads } = work;
  const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath: work.model });
  const context = await model.createContext({
    sequences: branches,
    contextSize: promptTokens + length + 1,
    batchSize: Math.max(512, promptTokens, branches),
    flashAttention: false,
    threads: { ideal: threads, min: threads },
    ignoreMemorySafetyChecks: true,
  });
  const sequences = Array.from({ length: branches }, () => context.getSequence());
  const prompt = model.tokenize(work.prompt);
  if (prompt.length !== promptTokens) throw new Error(`the prompt has ${prompt.length} tokens, not ${promptTokens}`);

  await generate(sequences, model.tokenize("Warm."), { ...work, length: 2 });
  await Promise.all(sequences.map((sequence) => sequence.clearHistory()));

  let result: Generated | undefined;
  const loopDelay = await loopDelayDuring(async () => {
    result = await generate(sequences, prompt, work);
  });
  return { ...result!, peakRssMb: peakRssMb(), loopDelay };
}

type Generated = Pick<DecodeResult, "totalMs" | "prefillMs" | "firstTokenMs" | "generatedTokens">;

async function generate(sequences: LlamaContextSequence[], prompt: Token[], work: DecodeWork): Promise<Generated> {
  const begun = performance.now();
  let firstTokenMs = NaN;
  let generatedTokens = 0;
  const rest = await distribute(sequences, prompt, work.prefix ?? "copy");
  let prefillMs = performance.now() - begun;
  const { temperature, topK, topP, minP } = work.sampler;
  await Promise.all(
    sequences.map(async (sequence, i) => {
      const seed = work.seed + i;
      const off = null as unknown as number; // its types know no null, its code takes it for "none"
      const options = { temperature, topK: topK || off, topP: topP < 1 ? topP : off, minP, seed, yieldEogToken: true };
      let left = work.length;
      for await (const token of sequence.evaluate(rest, options)) {
        void token;
        generatedTokens++;
        if (Number.isNaN(firstTokenMs)) firstTokenMs = performance.now() - begun;
        if (--left === 0) break;
      }
    }),
  );
  if (rest.length > 1) prefillMs = firstTokenMs;
  return { totalMs: performance.now() - begun, prefillMs, firstTokenMs, generatedTokens };
}

/** Brings the prompt into every sequence, but for the tokens returned, which each has still to evaluate. */
async function distribute(
  sequences: LlamaContextSequence[],
  prompt: Token[],
  way: NonNullable<DecodeWork["prefix"]>,
): Promise<Token[]> {
  if (way === "evaluate" || sequences.length === 1) return prompt;
  const shared = prompt.slice(0, -1);
  const [first, ...others] = sequences as [LlamaContextSequence, ...LlamaContextSequence[]];
  await first.evaluateWithoutGeneratingNewTokens(shared);
  if (way === "copy") {
    for (const sequence of others as Copying[]) {
      const done = await sequence._copyStateFromOtherSequence(first, shared.length);
      if (!done) throw new Error("node-llama-cpp did not copy the prompt's state");
    }
  } else {
    const folder = mkdtempSync(join(tmpdir(), "thinktree-bench-"));
    const file = join(folder, "prompt.state");
    await first.saveStateToFile(file);
    for (const sequence of others) await sequence.loadStateFromFile(file, { acceptRisk: true });
    rmSync(folder, { recursive: true });
  }
  return prompt.slice(-1);
}

interface Copying extends LlamaContextSequence {
  _copyStateFromOtherSequence(other: LlamaContextSequence, upTo: number): Promise<boolean>;
}

await answer(measure);
