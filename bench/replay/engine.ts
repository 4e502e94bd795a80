/**
 * The thinktree engine that a tree is recorded on, and that it is replayed on.
 *
 * Owns: its settings, which must be the same for both. Must not know: recording, replaying.
 */
import { Engine, type Tree, type VerifierRecipe } from "thinktree";

import { textOf } from "../gguf/vocabulary.js";
import type { RecordedTree } from "./recorded-tree.js";
import { tag, temperature, type ReplayWork } from "./work.js";

const recipe: VerifierRecipe = {
  name: "replay",
  next: `{step}${tag.tag}`,
  words: "own",
  read: { pair: [tag.positive, tag.negative] },
  aggregation: "last",
};

export async function loadEngine({ generator, verifier, threads }: Omit<ReplayWork, "tree" | "way">): Promise<Engine> {
  return Engine.load({
    ...{ generator, threads },
    verifier: verifier === undefined ? null : { path: verifier, recipe },
  });
}

export function openTree(engine: Engine, { prompt, writer, rounds }: RecordedTree): Promise<Tree> {
  return engine.openTree({
    ...{
      prompt: textOf(prompt),
      verifierPrompt: textOf(prompt),
      seed: writer?.seed ?? 1,
      steps: { delimiters: writer ? ["\n"] : [] },
    },
    maxLength: writer ? undefined : Math.max(...rounds[0]!.lengths),
    ...{ tokenBudget: undefined, deadlineMs: undefined, finalPrefix: "", stop: [] },
    sampler: { temperature, topK: 0, topP: 1, minP: 0 },
  });
}
