/**
 * A recorded tree on node-llama-cpp, at the fastest settings it has: see contenders/node-llama-cpp.ts for those.
 *
 * Owns: one measured run in this process. Must not know: the other contenders, how often it is run.
 *
 * A context for each model, a sequence for each branch; the verifier reads all steps of a round at once. It samples its own tokens: they are as many, and drawn from all as thinktree does. The two tags' logits
 * alone are asked for. Its sequences cannot share memory, so a fork is one of:
 *   copy      the parent's state is copied within the context: internal, and the fastest.
 *   evaluate  the branch takes the sequence of one that was pruned, keeps what the two have in common and evaluates the
 *             rest: what its documentation offers.
 */
import { getLlama, LlamaLogLevel, type LlamaContextSequence, type LlamaModel, type Token } from "node-llama-cpp";

import { textOf } from "../gguf/vocabulary.js";
import { answer } from "../support/child.js";
import { familiesOf, longestPath, tokensOf, widestOf, type RecordedRound } from "./recorded-tree.js";
import { cpuMs, peakRssMb, tag, temperature, type ReplayResult, type ReplayWork } from "./work.js";

interface Place {
  readonly sequence: LlamaContextSequence;
  /** A generator's sequence has yet to evaluate the last of it. */
  readonly path: readonly Token[];
}

type Way = "copy" | "evaluate";

interface Copying extends LlamaContextSequence {
  _copyStateFromOtherSequence(other: LlamaContextSequence, upTo: number): Promise<boolean>;
}

async function measure({ tree, generator, verifier, threads, way }: ReplayWork): Promise<ReplayResult> {
  const [manner, attention] = way.split(" ") as [Way, string];
  const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: LlamaLogLevel.error });
  const load = async (modelPath: string, tagTokens: number) => {
    const model = await llama.loadModel({ modelPath });
    const context = await model.createContext({
      sequences: widestOf(tree),
      contextSize: longestPath(tree, tagTokens) + 1,
      batchSize: 512,
      flashAttention: attention === "flash",
      threads: { ideal: threads, min: threads },
      ignoreMemorySafetyChecks: true,
    });
    const sequences = Array.from({ length: widestOf(tree) }, () => context.getSequence());
    await sequences[0]!.evaluateWithoutGeneratingNewTokens(model.tokenize("Warm."));
    await sequences[0]!.clearHistory();
    return { model, sequences };
  };
  const writer = await load(generator, 0);
  const reader = verifier === undefined ? undefined : await load(verifier, 1);
  const prompt = writer.model.tokenize(textOf(tree.prompt));

  const begun = performance.now();
  const cpuBegun = cpuMs();
  let branches = [await placeAt(writer.sequences[0]!, prompt, 1)];
  let read = reader && [await placeAt(reader.sequences[0]!, prompt, 0)];
  for (const round of tree.rounds) {
    const before = branches;
    branches = await grow(await fork(writer.sequences, before, round, manner, 1), round);
    if (reader === undefined || read === undefined) continue;
    const steps = branches.map(({ path }, i) => path.slice(before[Math.max(round.parents[i]!, 0)]!.path.length));
    read = await score(reader.model, await fork(reader.sequences, read, round, manner, 0), steps);
  }
  const spent = { totalMs: performance.now() - begun, cpuMs: cpuMs() - cpuBegun };
  return { ...spent, generatedTokens: tokensOf(tree), peakRssMb: peakRssMb() };
}

async function placeAt(sequence: LlamaContextSequence, path: Token[], owed: number): Promise<Place> {
  await sequence.evaluateWithoutGeneratingNewTokens(path.slice(0, path.length - owed));
  return { sequence, path };
}

/** A sequence for each branch: its parent's, or one that was pruned's. */
async function fork(
  all: readonly LlamaContextSequence[],
  parents: readonly Place[],
  round: RecordedRound,
  way: Way,
  owed: number,
): Promise<Place[]> {
  const families = familiesOf(round).map(({ parent, count }) => ({ from: parents[Math.max(parent, 0)]!, count }));
  const kept = new Set(families.map(({ from }) => from.sequence));
  const free = all.filter((sequence) => !kept.has(sequence));
  const children = families.flatMap(({ from, count }) =>
    Array.from({ length: count }, (_, i) => ({ from, to: i === 0 ? from.sequence : free.shift()! })),
  );
  const evaluated: Promise<void>[] = [];
  for (const { from, to } of children) {
    if (to === from.sequence) continue;
    const known = from.path.slice(0, from.path.length - owed);
    if (way === "evaluate") evaluated.push(evaluatePath(to, known));
    else if (!(await (to as Copying)._copyStateFromOtherSequence(from.sequence, known.length)))
      throw new Error("node-llama-cpp did not copy a sequence's state");
  }
  await Promise.all(evaluated);
  return children.map(({ from, to }) => ({ sequence: to, path: from.path }));
}

async function evaluatePath(sequence: LlamaContextSequence, path: Token[]): Promise<void> {
  await sequence.adaptStateToTokens(path, false);
  const missing = path.slice(sequence.nextTokenIndex);
  if (missing.length > 0) await sequence.evaluateWithoutGeneratingNewTokens(missing);
}

async function grow(places: readonly Place[], { lengths }: RecordedRound): Promise<Place[]> {
  const off = null as unknown as number; // no sampler instead of one that keeps everything: its types know no null
  return Promise.all(
    places.map(async ({ sequence, path }, seed) => {
      const written: Token[] = [];
      const options = { temperature, topK: off, topP: off, minP: off, seed, yieldEogToken: true };
      for await (const token of sequence.evaluate(path.slice(-1), options)) {
        written.push(token);
        if (written.length === lengths[seed]) break;
      }
      return { sequence, path: [...path, ...written] };
    }),
  );
}

async function score(model: LlamaModel, places: readonly Place[], steps: readonly Token[][]): Promise<Place[]> {
  const [tagToken, ...choices] = [tag.tag, tag.positive, tag.negative].map((text) => model.tokenize(text)[0]!);
  return Promise.all(
    places.map(async ({ sequence, path }, i) => {
      const generateNext = { logits: { filter: { tokens: choices } } };
      const outputs = await sequence.controlledEvaluate([...steps[i]!, [tagToken!, { generateNext }]]);
      if (outputs.at(-1)?.next.logits?.size !== choices.length) throw new Error("node-llama-cpp gave no score");
      return { sequence, path: [...path, ...steps[i]!, tagToken!] };
    }),
  );
}

await answer(measure);
