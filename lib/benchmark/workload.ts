/**
 * The work that is timed: a prompt of so many tokens, and steps of so many that any model writes.
 *
 * Owns: the text, how steps are made to be of one length, how many tokens a text has.
 * Must not know: clocks, rounds.
 *
 * A model writes as it likes and ends when it likes; latency asks for the same work every time. So tokens are drawn from
 * all of the vocabulary alike, whatever the logits say, and a step ends when it is long enough. Then a line break is put
 * after it, as a context: it is decoded like the delimiter that ends a step of a search, it makes room for as long a
 * step again, and a branch that has drawn the end token goes on from there.
 */
import { ThinkTreeError } from "../errors.js";
import type { EngineCore } from "../engine/engine-core.js";
import type { Branch, SearchTree } from "../engine/search-tree.js";
import type { Tree, TreeOptions } from "../engine/tree.js";

export interface Workload {
  readonly prompt: string;
  readonly promptTokens: number;
  /** Of a step, the line break's included. */
  readonly stepTokens: number;
  /** Of them, the line break's: one with nearly every vocabulary. */
  readonly breakTokens: number;
}

const lineBreak = "\n";
const sentence =
  "A tree is searched from its root, where all branches begin alike, and each of them goes its own way from there. ";
/** Logits are divided by it. */
const evenly = 1e4;

/** @throws {ThinkTreeError} INVALID_OPTION, CONTEXT_EXCEEDED */
export async function workloadOf(core: EngineCore, promptTokens: number, stepTokens: number): Promise<Workload> {
  // A character more is hardly ever more than one token more: the search ends at a text of just so many.
  let [low, high] = [0, promptTokens];
  while ((await countTokens(core, textOf(high))) < promptTokens) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((await countTokens(core, textOf(middle))) < promptTokens) low = middle;
    else high = middle;
  }
  const prompt = textOf(high);
  const found = await countTokens(core, prompt);
  const breakTokens = (await countTokens(core, prompt, lineBreak)) - found;
  if (breakTokens >= stepTokens) {
    const least = breakTokens + 1;
    throw new ThinkTreeError("INVALID_OPTION", `a line break alone has ${breakTokens} tokens: use a step of ${least}`);
  }
  return { prompt, promptTokens: found, stepTokens, breakTokens };
}

export function openTree(core: EngineCore, work: Workload, limits: Partial<TreeOptions>): Promise<Tree> {
  return core.openTree({
    ...{ prompt: work.prompt, verifierPrompt: work.prompt, verifierSeesContext: true, seed: 1 },
    ...{ tokenBudget: undefined, deadlineMs: undefined, maxLength: work.stepTokens - work.breakTokens },
    ...{ steps: { delimiters: [] }, finalPrefix: "", stop: [] }, // all that is written at a time is one step
    sampler: { temperature: evenly, topK: 0, topP: 1, minP: 0 },
    ...limits,
  });
}

/** One more step of every branch, scored if it is to be. Returns the branches to go on with; those before are released. */
export async function takeStep(tree: SearchTree, branches: readonly Branch[], score: boolean): Promise<Branch[]> {
  const next = branches.map((branch) => tree.condition(branch, lineBreak));
  tree.release(branches);
  await tree.extend(next, { steps: Infinity, score });
  if (score) await tree.score(next);
  return next;
}

/** Infinity if the context does not hold them. */
async function countTokens(core: EngineCore, prompt: string, context = ""): Promise<number> {
  try {
    const work = { prompt, promptTokens: 0, stepTokens: 1, breakTokens: 0 };
    await using tree = await openTree(core, work, { verifierPrompt: sentence });
    if (context !== "") tree.condition(tree.root, context);
    return (await tree.ledger()).treeTokensPeak; // what stands in the tree, though none of it is decoded
  } catch (error) {
    if (ThinkTreeError.isInstance(error) && error.code === "CONTEXT_EXCEEDED") return Infinity;
    throw error;
  }
}

function textOf(characters: number): string {
  return sentence.repeat(Math.ceil(characters / sentence.length)).slice(0, characters);
}
