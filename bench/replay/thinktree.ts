/**
 * A recorded tree on thinktree.
 *
 * Owns: one measured run in this process. Must not know: the other contenders, how often it is run.
 *
 * Its interface forces no tokens, and needs none: the model's weights set the steps' lengths, and the branches' random
 * streams are set by the seed and the forks. So the same forks grow the same tree; whether they did is told.
 */
import type { Branch, Engine } from "thinktree";

import { answer } from "../support/child.js";
import { number } from "../support/table.js";
import { loadEngine, openTree } from "./engine.js";
import { familiesOf, tokensOf, type RecordedTree } from "./recorded-tree.js";
import { cpuMs, peakRssMb, type ReplayResult, type ReplayWork } from "./work.js";

async function measure(work: ReplayWork): Promise<ReplayResult> {
  const { tree } = work;
  const engine = await loadEngine(work);
  const short = { ...tree, prompt: 8, rounds: [{ parents: [-1], lengths: [1] }] };
  await replay(engine, short);

  const before = engine.stats();
  const begun = performance.now();
  const cpuBegun = cpuMs();
  const { lengths, coalesced } = await replay(engine, tree);
  const spent = { totalMs: performance.now() - begun, cpuMs: cpuMs() - cpuBegun };
  const after = engine.stats();
  await engine.close();
  const generatedTokens = lengths.flat().reduce((sum, length) => sum + length, 0);
  const seconds = (part: "prefillMs" | "decodeMs" | "sampleMs" | "planMs" | "verifyMs") =>
    `${part.slice(0, -2)} ${number((after[part] - before[part]) / 1000)} s`;
  const parts = (["prefillMs", "decodeMs", "sampleMs", "planMs", "verifyMs"] as const).map(seconds);
  const alike = JSON.stringify(lengths) === JSON.stringify(tree.rounds.map((round) => round.lengths));
  const remarks = [
    ...(alike ? [] : [`its tree has ${generatedTokens} tokens, the recorded one ${tokensOf(tree)}`]),
    `${coalesced} written once for several branches`,
    parts.join(", "),
  ];
  return { ...spent, generatedTokens, peakRssMb: peakRssMb(), remark: remarks.join("; ") };
}

async function replay(engine: Engine, recorded: RecordedTree): Promise<{ lengths: number[][]; coalesced: number }> {
  const tree = await openTree(engine, recorded);
  const lengths: number[][] = [];
  let branches: Branch[] = [tree.root];
  for (const round of recorded.rounds) {
    const parents = branches;
    branches = familiesOf(round).flatMap(({ parent, count }) => tree.fork(parents[parent] ?? tree.root, count));
    tree.release(parents);
    await tree.extend(branches, { score: recorded.verified });
    if (recorded.verified) await tree.score(branches);
    lengths.push(branches.map(({ steps }) => steps.at(-1)!.tokens));
  }
  const { coalescedTokens } = await tree.close();
  return { lengths, coalesced: coalescedTokens };
}

await answer(measure);
