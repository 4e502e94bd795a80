/** A search that forks, scores and prunes. */
import type { Tree } from "../../lib/engine/tree.js";

/** Three rounds of forks at the ends of steps, each branch scored; the texts, and what it took. Closes the tree. */
export async function threeRounds(tree: Tree) {
  const texts: string[] = [];
  const scores: number[] = [];
  let beams = tree.fork(tree.root, 6);
  for (let round = 0; round < 3; round++) {
    await tree.extend(beams, { score: true });
    await tree.score(beams);
    texts.push(...beams.map(({ text }) => text));
    scores.push(...beams.flatMap((beam) => beam.steps.map(({ score }) => score ?? Number.NaN)));
    beams = beams.slice(0, 3).flatMap((beam) => tree.fork(beam, 2));
  }
  return { texts, scores, ledger: await tree.close() };
}
