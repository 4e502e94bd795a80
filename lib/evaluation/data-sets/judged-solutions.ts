/**
 * Solutions whose steps somebody has judged, from a file.
 *
 * Owns: one reader a layout: ProcessBench, PRM800K, TRL's.
 * Must not know: verifiers, scores.
 */
import { z } from "zod";

import { ThinkTreeError } from "../../errors.js";
import { has, hashOf, identity, Mistake, readRecord, text, type Fields, type Layout } from "./record.js";
import { rowsOf } from "./rows.js";

export interface JudgedSolution {
  /** The record's own id; else a hash of question and steps. */
  readonly id: string;
  readonly question: string;
  /** At least one. */
  readonly steps: readonly string[];
  /** Index of the first wrong step; null: all are right. */
  readonly firstError: number | null;
}

const expected = "the layout of ProcessBench, PRM800K, or TRL's prompt, completions and labels";

const processBenchSchema = z.looseObject({
  ...{ id: identity, problem: text, steps: z.array(z.string()).min(1), label: z.number().int().min(-1) },
});

/** Zheng et al. 2024: `label` is the index of the first wrong step, or -1. */
function processBench(fields: Fields): JudgedSolution {
  const { id, problem, steps, label } = processBenchSchema.parse(fields);
  if (label >= steps.length) throw new Mistake(`label: ${label}, but there are only ${steps.length} steps`);
  return solutionOf(problem, steps, label < 0 ? null : label, id);
}

const prm800kSchema = z.looseObject({
  question: z.looseObject({ problem: text }),
  label: z.looseObject({
    finish_reason: z.string().optional(),
    steps: z.array(
      z.looseObject({
        completions: z.array(z.looseObject({ text: z.string(), rating: z.number().optional() })).optional(),
        human_completion: z.looseObject({ text: z.string() }).optional(),
        chosen_completion: z.number().int().nonnegative().optional(),
      }),
    ),
  }),
});

/**
 * Lightman et al. 2023: of the completions of each step the one that the labeller went on with, which may be his own. Where
 * he went on with none the first is the solution's, and the last step. A rating of -1 is wrong, 0 and 1 are not. What comes
 * after a step without a rating is left out, and a solution of a bad problem, or without a rated step, is none.
 */
function prm800k(fields: Fields): JudgedSolution | undefined {
  const { question, label } = prm800kSchema.parse(fields);
  if (label.finish_reason === "bad_problem") return undefined;
  const steps: string[] = [];
  let firstError: number | null = null;
  for (const { completions = [], chosen_completion: chosen, human_completion: human } of label.steps) {
    const own = chosen === undefined && human !== undefined;
    const step = own ? { ...human, rating: 1 } : completions[chosen ?? 0];
    if (step === undefined && chosen !== undefined) throw new Mistake(`chosen_completion: there is no ${chosen}`);
    if (step?.rating === undefined) break;
    if (step.rating < 0) firstError ??= steps.length;
    steps.push(step.text);
    if (!own && chosen === undefined) break;
  }
  return steps.length === 0 ? undefined : solutionOf(question.problem, steps, firstError);
}

const trlSchema = z.looseObject({
  prompt: text,
  completions: z.array(z.string()).min(1),
  labels: z.array(z.union([z.boolean(), z.literal(0), z.literal(1)])),
});

/** As TRL's PRMTrainer takes them: whether each step is right. */
function trl(fields: Fields): JudgedSolution {
  const { prompt, completions, labels } = trlSchema.parse(fields);
  if (labels.length !== completions.length) {
    throw new Mistake(`labels: there are ${labels.length} for ${completions.length} completions`);
  }
  const wrong = labels.findIndex((label) => !label);
  return solutionOf(prompt, completions, wrong < 0 ? null : wrong);
}

/** The first that fits counts. */
const layouts: readonly Layout<JudgedSolution>[] = [
  { fits: has("steps", "label"), read: processBench },
  { fits: has("question", "label"), read: prm800k },
  { fits: has("prompt", "completions", "labels"), read: trl },
];

/**
 * The solutions of a file: JSON lines, a JSON array or Parquet, gzipped or not. With a `limit` so many of them, evenly over the
 * file, since ProcessBench's files have the erroneous solutions first.
 * @throws {ThinkTreeError} INVALID_OPTION: names the file, the record and the field, and what is expected
 */
export async function readJudgedSolutions(path: string, limit = Infinity): Promise<JudgedSolution[]> {
  const solutions: JudgedSolution[] = [];
  for await (const row of rowsOf(path)) {
    const solution = readRecord(row, layouts, "a solution with judged steps", expected);
    if (solution !== undefined) solutions.push(solution);
  }
  const { length } = solutions;
  if (length === 0) {
    throw new ThinkTreeError("INVALID_OPTION", `${path} has no solutions with judged steps: expected ${expected}`);
  }
  if (length <= limit) return solutions;
  return Array.from({ length: limit }, (_, i) => solutions[Math.floor((i * length) / limit)]!);
}

function solutionOf(
  question: string,
  steps: readonly string[],
  firstError: number | null,
  id: string | number = hashOf(JSON.stringify([question, steps])),
): JudgedSolution {
  return { id: String(id), question, steps, firstError };
}
