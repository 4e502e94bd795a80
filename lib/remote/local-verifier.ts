/**
 * Scores the steps of a search on servers by a verifier that is loaded here.
 *
 * Owns: which steps stand on the verifier's tree already. Must not know: how a score is computed.
 */
import type { Branch } from "../engine/search-tree.js";
import type { StepJudge, Tree } from "../engine/tree.js";

interface Node {
  readonly branch: Branch;
  readonly score: Promise<number | null>;
  readonly below: Map<string, Node>;
}

export class LocalVerifier implements StepJudge {
  private readonly begun = new Map<string, Node>();

  /** The tree stays with who opened it. */
  constructor(private readonly tree: Tree) {}

  get exhausted(): boolean {
    return this.tree.exhausted;
  }

  async scores(steps: readonly string[]): Promise<(number | null)[]> {
    let { begun } = this;
    let above = this.tree.root;
    const scores = steps.map((step) => {
      const node = begun.get(step) ?? this.put(begun, step, above);
      begun = node.below;
      above = node.branch;
      return node.score;
    });
    return Promise.all(scores);
  }

  private put(siblings: Map<string, Node>, step: string, above: Branch): Node {
    const [branch] = this.tree.fork(above, 1) as [Branch];
    const node = { branch, score: this.scoreOf(branch, step), below: new Map<string, Node>() };
    siblings.set(step, node);
    node.score.catch(() => siblings.delete(step)); // whoever wants it again asks again
    return node;
  }

  /** Of a step without a word, which a stop text has left, there is nothing to say. */
  private scoreOf(branch: Branch, step: string): Promise<number | null> {
    if (step.trim() === "") return Promise.resolve(null);
    this.tree.write(branch, step);
    return this.tree.score([branch]).then(() => branch.steps.at(-1)!.score);
  }
}
