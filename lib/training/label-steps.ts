/**
 * Labels of steps by rollouts: how often does a solution still come to the right answer from here?
 *
 * Source: Wang et al. 2023 (Math-Shepherd, arXiv 2312.08935), sec. 3; Snell et al. 2024, app. D.
 *
 * Owns: what is rolled out of each question and what that depends on, grading, the record of a labelled solution.
 * Must not know: how rollouts share a tree, files, terminals.
 *
 * Killed at any moment, it goes on from its journal: every question has its own seed.
 */
import type { Ledger } from "../engine/addon.js";
import { noCost } from "../engine/no-figures.js";
import { ThinkTreeError } from "../errors.js";
import type { PaceReport } from "../evaluation/pace.js";
import { bareQuestion, digestOf, seedOf, type BareQuestion, type Question } from "../evaluation/questions.js";
import { verdictsOn } from "../evaluation/records.js";
import { doUnits, here, type Executor } from "../evaluation/units.js";
import type { Grader } from "../grading/grader.js";
import type { Engine } from "../scheduler/engine.js";
import { answersOf, questionTree } from "../scheduler/question-tree.js";
import { recipeOf } from "../scheduler/recipe.js";
import { checkOptions, type SolveOptions } from "../scheduler/solve-options.js";
import { rollOut, type RolloutSizes } from "./step-rollouts.js";

export interface LabelOptions extends RolloutSizes {
  /** Of solutions and rollouts alike. Defaults as in SolveOptions. */
  readonly sampling: Pick<SolveOptions, "temperature" | "topK" | "topP" | "minP">;
  readonly seed: number;
  /** Finished questions are kept here, line by line. */
  readonly journal: string;
  /** Also says how answers are read off, where they are not stated as others are. */
  readonly grader: Pick<Grader, "name" | "answerOf" | "grade" | "check">;
  readonly signal?: AbortSignal | undefined;
  /** Who does the questions; default: this process. */
  readonly execute?: Executor<RolloutWork, LabelledQuestion> | undefined;
  /** Called at the beginning and after every question. */
  readonly onProgress?: ((progress: PaceReport) => void) | undefined;
}

/** One question's part. */
export interface RolloutWork extends RolloutSizes {
  readonly question: BareQuestion;
  readonly seed: number;
  readonly sampling: LabelOptions["sampling"];
}

/** As the journal has them. */
export interface LabelledQuestion {
  /** Each once, in the order of sampling; those without an answer are left out. None: the question does not fit the context. */
  readonly solutions: readonly LabelledSolution[];
  /** Drawn in all; beginnings that solutions have in common were rolled out once. */
  readonly rollouts: number;
  readonly cost: Pick<Ledger, "promptTokens" | "generatedTokens" | "coalescedTokens">;
}

interface LabelledSolution {
  /** Without the delimiter that ends them. */
  readonly steps: readonly string[];
  readonly answer: string;
  /** How many of the question's samples are this solution. */
  readonly drawn: number;
  /** How many of each step's rollouts end with the right answer. The last step's one is the solution itself. */
  readonly right: readonly number[];
}

/** One labelled solution: what TRL's stepwise trainers and ProcessBench's protocol read, and what else is known. */
export interface StepLabels {
  /** The question's. */
  readonly id: string;
  readonly prompt: string;
  readonly completions: readonly string[];
  /** Hard estimation (Wang et al. 2023): whether any of the step's rollouts ends right. */
  readonly labels: readonly boolean[];
  /** Soft estimation: the share that does, in [0, 1]. */
  readonly values: readonly number[];
  /** Both counts, a step each. */
  readonly right: readonly number[];
  readonly rollouts: readonly number[];
  readonly answer: string;
  readonly correct: boolean;
  readonly drawn: number;
  /** The run's. */
  readonly seed: number;
  /** Of the question, that is of all its solutions together. */
  readonly cost: LabelledQuestion["cost"];
}

/** Branches that share the engine's batches: more only wait for each other. */
const branchesAtOnce = 64;

/**
 * The labelled solutions of all questions, question by question.
 * @throws {ThinkTreeError} INVALID_OPTION (also another run's journal), CANCELLED, and what trees throw
 */
export async function labelSteps(
  engine: Pick<Engine, "fingerprints" | "models" | "policy" | "openTree">,
  questions: readonly Question[],
  options: LabelOptions,
): Promise<LabelledQuestion[]> {
  const { solutions, rollouts, seed, journal, grader, signal, onProgress } = options;
  const sampling = { ...options.sampling, temperature: options.sampling.temperature ?? engine.policy.temperature };
  const run = {
    task: "rollouts",
    questions: digestOf(questions),
    generator: engine.fingerprints.generator,
    asked: engine.models.generator.recipe["recipe_digest"],
    ...{ solutions, rollouts, sampling, seed, grader: grader.name },
  };
  for (const { answer } of questions) grader.check?.(answer); // told before anything is paid for
  const found = await doUnits({
    ...{ journal, run, signal, onProgress },
    units: questions.map((question) => ({
      key: question.id,
      branches: Math.max(solutions, rollouts),
      work: {
        ...{ question: bareQuestion(question), seed: seedOf(seed, question.id) },
        ...{ solutions, rollouts, sampling },
      },
    })),
    execute: options.execute ?? here(branchesAtOnce, (work, ending) => labelOne(engine, grader, work, ending)),
  });
  return questions.map(({ id }) => found(id));
}

/** One question. @throws {ThinkTreeError} as Engine.openTree, but for CONTEXT_EXCEEDED: it has no solutions then */
export async function labelOne(
  engine: Pick<Engine, "models" | "policy" | "openTree">,
  grader: Pick<Grader, "answerOf" | "grade">,
  { question, seed, sampling, ...sizes }: RolloutWork,
  signal: AbortSignal,
): Promise<LabelledQuestion> {
  const { generator } = engine.models;
  const options = checkOptions({ ...sampling, seed, signal }, engine.policy);
  try {
    await using tree = await engine.openTree(questionTree(engine.models, question.question, options));
    const solutions = await rollOut(tree, { ...sizes, answerOf: grader.answerOf ?? answersOf(generator) });
    const { promptTokens, generatedTokens, coalescedTokens } = await tree.close(); // programs may be graded for long
    const answers = solutions.flatMap(({ answer, reached }) => [answer, ...reached.flat()]);
    const isRight = await verdictsOn(answers, question.answer, grader);
    const [delimiter = ""] = recipeOf(generator).steps.delimiters;
    return {
      solutions: solutions.map(({ steps, answer, drawn, reached }) => ({
        ...{ steps: steps.map((step) => withoutEnd(step, delimiter)), answer, drawn },
        right: [...reached, [answer]].map((those) => those.filter((one) => isRight.get(one)).length),
      })),
      rollouts: sizes.rollouts * new Set(solutions.flatMap(({ reached }) => reached)).size,
      cost: { promptTokens, generatedTokens, coalescedTokens },
    };
  } catch (error) {
    if (!ThinkTreeError.isInstance(error) || error.code !== "CONTEXT_EXCEEDED") throw error;
    const { promptTokens, generatedTokens, coalescedTokens } = noCost;
    return { solutions: [], rollouts: 0, cost: { promptTokens, generatedTokens, coalescedTokens } };
  }
}

/** A question's labelled solutions as records. */
export function stepLabelsOf(
  { id, question }: Question,
  { solutions, cost }: LabelledQuestion,
  { rollouts, seed }: Pick<LabelOptions, "rollouts" | "seed">,
): StepLabels[] {
  return solutions.map(({ steps, answer, drawn, right }) => {
    const counts = right.map((_, i) => (i < right.length - 1 ? rollouts : 1));
    return {
      ...{ id, prompt: question, completions: steps },
      labels: right.map((count) => count > 0),
      values: right.map((count, i) => count / counts[i]!),
      ...{ right, rollouts: counts, answer, correct: right.at(-1) === 1, drawn, seed, cost },
    };
  });
}

function withoutEnd(step: string, delimiter: string): string {
  return delimiter !== "" && step.endsWith(delimiter) ? step.slice(0, -delimiter.length) : step;
}
