/**
 * How a judge is asked about the steps of a solution, and where its verdict is read.
 *
 * Owns: the fields and their checks. Must not know: recipes, chat templates, who asks.
 *
 * All are templates: special tokens are recognised in them, and in steps they are letters. "{i}" is the step's number.
 */
import { z } from "zod";

const text = z.string();
const around = z.strictObject({ before: text, after: text });

export const judgeRules = z.strictObject({
  kind: z.literal("judge"),
  /** What stands around a solution's first step, and around every other. */
  first: around,
  next: around,
  /** After the step that is judged: what the judge goes on from. */
  ask: text,
  /**
   * A conversation: after the verdict's word, what stands between it and the next step. Without it the judge is asked about
   * each prefix of the steps anew.
   */
  onward: text.optional(),
  /** An analysis ends with any of these, with the verdict's words of introduction, or with the model's end token. */
  ends: z.array(text.min(1)),
  /** Comes after an analysis that has come to none of these, but to its longest length. */
  unfinished: text,
  /** What the verdict stands after. */
  verdict: text.min(1),
  /** The verdict's two words: single tokens. */
  positive: text.min(1),
  negative: text.min(1),
  /** Of an analysis at most. */
  tokens: z
    .number()
    .int()
    .min(1)
    .max(1 << 20),
  temperature: z.number().min(0).max(100),
  topK: z.number().int().min(0),
  topP: z.number().gt(0).max(1),
  /** Analyses of each step, each with a verdict: the score is their mean. */
  votes: z.number().int().min(1).max(256),
});

export type JudgeRules = z.infer<typeof judgeRules>;
