/**
 * What it saves to roll the steps of solutions out on their own tree: as `thinktree rollouts` does, against the same number of
 * rollouts whose way there is read again, once a step or once a rollout. On the embedded models.
 *
 * Owns: the turns and the table. Must not know: how rollouts share a tree.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Engine, mathGrader } from "thinktree";
import type { Question } from "#lib/evaluation/questions.js";
import { questionTree } from "#lib/scheduler/question-tree.js";
import { checkOptions } from "#lib/scheduler/solve-options.js";
import { labelSteps, type LabelledQuestion } from "#lib/training/label-steps.js";

import { saveResults } from "./support/folders.js";
import { warnIfBusy } from "./support/machine-load.js";
import { median } from "./support/statistics.js";
import { number, print, spread } from "./support/table.js";
import { forEachOf, readProblems } from "./support/word-problems.js";

export interface RolloutsBenchOptions {
  readonly rounds: number;
  /** Questions a round. */
  readonly limit: number;
  readonly solutions: number;
  readonly rollouts: number;
  readonly save?: string | undefined;
}

interface Run {
  readonly seconds: number;
  /** Tokens that the generator has decoded, read or written. */
  readonly decoded: number;
}

/** A step's end: a question, and what of a solution stands there. */
interface Beginning {
  readonly question: string;
  readonly steps: readonly string[];
}

const branchesAtOnce = 64;

export async function rollouts(options: RolloutsBenchOptions): Promise<void> {
  await warnIfBusy();
  const questions = await readProblems({}, options.limit);
  await using engine = await Engine.load({ verifier: null });
  let labelled: LabelledQuestion[] = [];
  const shared = async () => void (labelled = await onOneTree(engine, questions, options));
  await shared(); // warms up, and tells the others where to begin
  const beginnings = beginningsOf(questions, labelled);
  const ways: readonly [name: string, work: () => Promise<void>][] = [
    ["on the solutions' tree", shared],
    ["a tree a step", () => apart(engine, beginnings, options.rollouts, 1)],
    ["a tree a rollout", () => apart(engine, beginnings, 1, options.rollouts)],
  ];
  const runs: Run[][] = ways.map(() => []);
  for (let round = 0; round < options.rounds; round++) {
    for (const [way, [, work]] of ways.entries()) runs[way]!.push(await measured(engine, work));
  }
  const count = beginnings.length * options.rollouts;
  const rows = ways.map(([name], way) => [
    name,
    spread(runs[way]!.map(({ seconds }) => count / seconds)),
    number(median(runs[way]!.map(({ decoded }) => decoded))),
    number(median(runs[way]!.map(({ seconds }) => seconds)) / median(runs[0]!.map(({ seconds }) => seconds))),
  ]);
  const title = `${count} rollouts from ${beginnings.length} steps, ${options.rounds} rounds by turns`;
  print({ title, columns: ["rollouts", "rollouts/s", "tokens decoded", "times as long"], rows });
  if (options.save !== undefined)
    console.log(`\nSaved ${saveResults(options.save, { options, count, ways: ways.map(([name]) => name), runs })}`);
}

/** The first way samples the solutions, too, and grades: all that the command does. */
async function onOneTree(engine: Engine, questions: readonly Question[], options: RolloutsBenchOptions) {
  const folder = await mkdtemp(join(tmpdir(), "thinktree-bench-"));
  await using grader = mathGrader();
  try {
    const journal = join(folder, "journal.jsonl");
    return await labelSteps(engine, questions, { ...options, seed: 1, sampling: {}, journal, grader });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Every different one of a question once, as on the tree. */
function beginningsOf(questions: readonly Question[], labelled: readonly LabelledQuestion[]): Beginning[] {
  return questions.flatMap(({ question }, i) => {
    const different = new Map<string, Beginning>();
    for (const { steps } of labelled[i]!.solutions) {
      for (let end = 1; end < steps.length; end++) {
        const beginning = { question, steps: steps.slice(0, end) };
        different.set(beginning.steps.join("\n"), beginning);
      }
    }
    return [...different.values()];
  });
}

/** From each step `trees` trees that read the way there, with so many rollouts each. */
async function apart(engine: Engine, beginnings: readonly Beginning[], each: number, trees: number): Promise<void> {
  const all = beginnings.flatMap((beginning) => Array.from({ length: trees }, () => beginning));
  await forEachOf(all, Math.max(1, Math.floor(branchesAtOnce / each)), async ({ question, steps }, seed) => {
    const options = questionTree(engine.models, question, checkOptions({ seed }, engine.policy));
    await using tree = await engine.openTree(options);
    for (const step of steps) tree.write(tree.root, `${step}\n`);
    await tree.extend(tree.fork(tree.root, each), { steps: Infinity });
  });
}

async function measured(engine: Engine, work: () => Promise<void>): Promise<Run> {
  const [begun, before] = [performance.now(), engine.stats().decodedTokens];
  await work();
  return { seconds: (performance.now() - begun) / 1_000, decoded: engine.stats().decodedTokens - before };
}
