/**
 * What a search has come to while it goes on.
 *
 * Owns: a look at each branch that has written. Must not know: any one strategy, who wants to know.
 */
import type { AnswerOf, Branch, SearchTree, Strategy } from "thinktree";

import type { Progress, Step } from "./contract.js";

export class BestSoFar {
  #steps: readonly Step[] = [];
  #answer: string | null = null;
  #answerScore = -Infinity;

  get now(): Pick<Progress, "steps" | "answer"> {
    return { steps: this.#steps, answer: this.#answer };
  }

  /** For `SolveOptions.watch`: the same strategy, on a tree that shows what is written. */
  readonly watch = (strategy: Strategy): Strategy => ({
    ...strategy,
    explore: (tree, context) => strategy.explore(this.#shown(tree, context.answerOf), context),
  });

  #shown(tree: SearchTree, answerOf: AnswerOf): SearchTree {
    return {
      root: tree.root,
      get exhausted() {
        return tree.exhausted;
      },
      fork: (branch, n) => tree.fork(branch, n),
      condition: (branch, text) => tree.condition(branch, text),
      release: (branches) => tree.release(branches),
      extend: async (branches, options) => {
        await tree.extend(branches, options);
        this.#look(branches, answerOf);
      },
      score: async (branches) => {
        await tree.score(branches);
        this.#look(branches, answerOf);
      },
    };
  }

  #look(branches: readonly Branch[], answerOf: AnswerOf): void {
    const [best] = [...branches].sort((a, b) => scoreOf(b) - scoreOf(a));
    if (best === undefined) return;
    this.#steps = best.steps.map(({ text, score }) => ({ text: text.trimEnd(), score }));
    for (const branch of branches) {
      if (!branch.finished || scoreOf(branch) <= this.#answerScore) continue;
      const answer = answerOf(branch.text);
      if (answer === null) continue;
      this.#answer = answer;
      this.#answerScore = scoreOf(branch);
    }
  }
}

/** Of its last step; -1: not scored. */
function scoreOf({ steps }: Branch): number {
  return steps.at(-1)?.score ?? -1;
}
