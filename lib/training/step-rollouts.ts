/**
 * Solutions of one question, and rollouts from each of their steps, on one tree.
 *
 * Source: Wang et al. 2023 (Math-Shepherd, arXiv 2312.08935), sec. 3; Snell et al. 2024, app. D.
 *
 * Owns: which branches there are, and when each is given back.
 * Must not know: what is right, models, tokens.
 */
import type { Branch, SearchTree } from "../engine/search-tree.js";
import { canGrow } from "../strategies/index.js";
import type { AnswerOf } from "../verifiers/solution.js";

export interface RolloutSizes {
  /** Sampled of the question, 1 to 65,536. */
  readonly solutions: number;
  /** Sampled from each step of theirs to the end, 1 to 65,536. */
  readonly rollouts: number;
}

/** A solution that states an answer. */
export interface RolledOut {
  /** Their texts; none is blank. */
  readonly steps: readonly string[];
  readonly answer: string;
  /** How many of the sampled solutions are this one. */
  readonly drawn: number;
  /** The answers that its rollouts came to, step by step; null: none. Not of the last step, after which there is nothing. */
  readonly reached: readonly (readonly (string | null)[])[];
}

/**
 * Each solution once that states an answer. Steps that begin alike have their rollouts in common.
 *
 * What fails leaves branches behind: the tree is the caller's to close.
 * @throws what the tree throws
 */
export async function rollOut(
  tree: SearchTree,
  { solutions, rollouts, answerOf }: RolloutSizes & { readonly answerOf: AnswerOf },
): Promise<RolledOut[]> {
  const stated = (branch: Branch) => (branch.finished ? answerOf(branch.text) : null);
  const sampled = tree.fork(tree.root, solutions);
  const stepEnds = await sampleStepwise(tree, sampled);

  const reached = new Map<string, (string | null)[]>();
  const answersFrom = async (beginning: string) => {
    const known = reached.get(beginning);
    if (known !== undefined) return known;
    const branches = tree.fork(stepEnds.get(beginning)!, rollouts);
    await tree.extend(branches, { steps: Infinity });
    const answers = branches.map(stated);
    reached.set(beginning, answers);
    tree.release([...branches, stepEnds.get(beginning)!]);
    stepEnds.delete(beginning);
    return answers;
  };

  const found = new Map<string, RolledOut>();
  for (const branch of sampled) {
    const answer = stated(branch);
    const before = found.get(branch.text);
    if (answer !== null && before !== undefined) found.set(branch.text, { ...before, drawn: before.drawn + 1 });
    if (answer !== null && before === undefined) {
      const steps = worded(branch);
      const answers: (string | null)[][] = [];
      for (let i = 1; i < steps.length; i++) answers.push(await answersFrom(steps.slice(0, i).join("")));
      found.set(branch.text, { steps, answer, drawn: 1, reached: answers });
    }
    tree.release([branch]); // and not before: its rollouts go on from its cells
  }
  tree.release([...stepEnds.values()]);
  return [...found.values()];
}

/** Writes them to their ends, and leaves a branch at the end of every step that is not the last, by the text up to there. */
async function sampleStepwise(tree: SearchTree, branches: readonly Branch[]): Promise<Map<string, Branch>> {
  const stepEnds = new Map<string, Branch>();
  for (let growing = branches; growing.length > 0;) {
    await tree.extend(growing);
    growing = growing.filter(canGrow);
    for (const branch of growing) {
      if (!stepEnds.has(branch.text)) stepEnds.set(branch.text, tree.fork(branch, 1)[0]!);
    }
  }
  return stepEnds;
}

/** A model may end with blank lines, which are no step. */
function worded({ steps }: Branch): string[] {
  return steps.map(({ text }) => text).filter((text) => text.trim() !== "");
}
