/**
 * Records the search trees that `replay` replays.
 *
 * Owns: how a tree comes to be: steps as long as those of real searches, forks and prunes by the verifier's scores.
 * Must not know: who replays it.
 */
import { cpus } from "node:os";

import { beamSearch } from "thinktree";

import type { ShapeName } from "./gguf/shapes.js";
import { loadEngine, openTree } from "./replay/engine.js";
import { modelsOf } from "./replay/models.js";
import { tokensOf, writeTree, type RecordedTree } from "./replay/recorded-tree.js";
import { RecordingTree } from "./replay/recorder.js";
import { loadModels, readProblems } from "./support/word-problems.js";

export interface RecordOptions {
  readonly shape: ShapeName;
  /** n/M pairs: one tree each. */
  readonly beams: readonly (readonly [n: number, beamWidth: number])[];
  readonly rounds: number;
  readonly prompt: number;
  readonly seed: number;
  /** Questions of the real searches. */
  readonly limit: number;
}

export async function record(options: RecordOptions): Promise<void> {
  const { shape, beams, rounds, prompt, seed, limit } = options;
  const stepLengths = await realStepLengths(limit);
  console.log(`Steps of 1, 2, ... tokens in ${limit} real searches: ${stepLengths.join(", ")}`);
  for (const [n, beamWidth] of beams) {
    const blank: RecordedTree = {
      ...{ name: `beam-${n}-${beamWidth}`, prompt, verified: true },
      ...{ writer: { shape, stepLengths, seed }, rounds: [] },
    };
    const engine = await loadEngine({ ...(await modelsOf(blank, shape)), threads: cpus().length });
    await using tree = await openTree(engine, blank);
    const watched = new RecordingTree(tree);
    await beamSearch({ n, beamWidth, maxRounds: rounds }).explore(watched, { answerOf: () => null });
    const recorded = { ...blank, rounds: watched.rounds() };
    const { coalescedTokens } = await tree.close();
    await engine.close();
    console.log(
      `${writeTree(recorded)}: ${tokensOf(recorded)} tokens, ${coalescedTokens} of them written once for several`,
    );
  }
}

/** How many steps of each length the embedded models' beam search writes. */
async function realStepLengths(limit: number): Promise<number[]> {
  const engine = await loadModels({});
  const counts: number[] = [];
  for (const [seed, { question }] of (await readProblems({}, limit)).entries()) {
    const { candidates } = await engine.solve(question, { strategy: beamSearch({ n: 16, beamWidth: 4 }), seed });
    for (const { tokens } of candidates.flatMap(({ steps }) => steps))
      counts[tokens - 1] = (counts[tokens - 1] ?? 0) + 1;
  }
  await engine.close();
  return Array.from(counts, (count) => count ?? 0);
}
