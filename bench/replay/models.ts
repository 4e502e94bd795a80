/**
 * The random models of a recorded tree.
 *
 * Owns: which they are. Must not know: trees' insides, engines.
 */
import { randomModel } from "../gguf/random-model.js";
import { shapes, type ShapeName } from "../gguf/shapes.js";
import type { RecordedTree } from "./recorded-tree.js";
import type { ReplayWork } from "./work.js";

const generatorSeed = 1;
const verifierSeed = 2;

/** Paths of the files, made if they are not there. Generator and verifier are of one shape. */
export async function modelsOf(
  tree: RecordedTree,
  otherShape: ShapeName,
): Promise<Pick<ReplayWork, "generator" | "verifier">> {
  const common = { shape: shapes[tree.writer?.shape ?? otherShape], type: "Q8_0" } as const;
  const { stepLengths = [] } = tree.writer ?? {};
  return {
    generator: await randomModel({ ...common, stepLengths, seed: generatorSeed }),
    // Of the same vocabulary: else it would read a step's text anew, in other and more tokens.
    verifier: tree.verified ? await randomModel({ ...common, stepLengths, seed: verifierSeed }) : undefined,
  };
}
