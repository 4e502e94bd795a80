/**
 * How a verifier reads a solution, as data: a published PRM's recipe is a JSON file in models/recipes.
 *
 * Owns: the recipe's fields and checks; where the question and a step stand in its templates.
 * Must not know: the engine, how models are found, chat templates.
 */
import { z } from "zod";

import { parseNamed } from "../errors.js";
import { aggregations } from "./aggregation.js";

const text = z.string();
const classNumber = z.number().int().min(0).max(1023);

/** A judge writes an analysis of a step, and then a verdict. */
const analysis = z.strictObject({
  /** What it begins with; "{i}" is the step's number. Default: nothing. */
  begin: text.default(""),
  /** It ends with any of these, with what the verdict stands after, or with the model's end token. */
  ends: z.array(z.string().min(1)).default([]),
  /** Comes after an analysis that was cut at its longest length. Default: nothing. */
  unfinished: text.default(""),
  /** What the verdict stands after: written for the judge, where it has not done so itself. */
  verdict: z.string().min(1),
  /** Texts of single tokens, the good one first: its share of their probabilities is the vote. */
  words: z.tuple([z.string().min(1), z.string().min(1)]),
  /** In a conversation, what follows the verdict's word up to the turn's end. Default: nothing. */
  after: text.default(""),
  /** Of an analysis at most. */
  tokens: z
    .number()
    .int()
    .min(1)
    .max(1 << 20),
  /** Of the judge's sampling. Defaults: 0 (all) and 1. */
  temperature: z.number().min(0).max(100),
  topK: z.number().int().min(0).default(0),
  topP: z.number().gt(0).max(1).default(1),
  /** Analyses of each step, unless the option `votes` says otherwise; the score is the mean of their votes. */
  votes: z.number().int().min(1).max(256).default(1),
});
export type JudgeReading = z.output<typeof analysis>;

/** Templates' special tokens are recognised; in the question and in steps they are letters. */
export const recipeSchema = z
  .strictObject({
    name: z.string().min(1),
    /** Where it is described: a model card. */
    source: text.optional(),
    /** Regular expressions; a model whose `general.name` one of them matches, in any case, is read so. */
    matches: z.array(z.string().min(1)).optional(),
    /** Before the solution; `{question}` stands for the question. Without it: as the model's own metadata say. */
    prompt: text.optional(),
    /**
     * What a step is to the model; it ends where its score is read. `{step}` stands for the step's text, without empty
     * lines before it and blanks after it; `{step|trim}` also without blanks before it; `{k}` for its number, from 1.
     * Default: `next`.
     */
    first: text.optional(),
    /** Of every step but a solution's first. Default: "{step}". */
    next: text.default("{step}"),
    /**
     * Of likelihoods and ratios: so many tokens of what stands before the next step are read with each, counted from where
     * its own would end if nothing followed. Default 0.
     */
    beyond: z.number().int().min(0).max(16).optional(),
    /** Likewise after the solution's last step, in the place of those: all of it. Default: none. */
    end: text.optional(),
    /** Read after the step instead of its end, and forgotten: what would close the solution. Default: none. */
    probe: text.optional(),
    /**
     * Turns of a chat, instead of prompt and probe: the model's own template makes of them what stands before `{step}`,
     * which is read first, and what stands after it, which is the probe. With an `analysis` to read: `{step}` stands for all
     * the steps up to the judged one; or a turn that is "{analysis}", and one with the next "{step}" after it, make it a
     * conversation of a step a turn. `{i}` in `first` and `next` is the step's number.
     */
    chat: z
      .array(z.strictObject({ role: z.string().min(1), content: text }))
      .min(1)
      .optional(),
    /**
     * - `own`: the generator's tokens, if the vocabularies are equal.
     * - `joined`: the template with the step in it is tokenised as one, with what comes before it.
     * - `apart`: the step by itself, and what stands around it by itself.
     */
    words: z.enum(["own", "joined", "apart"]).default("joined"),
    /** Blanks instead of newlines inside a step. */
    oneLine: z.boolean().optional(),
    read: z.union([
      /** The probability of the step's tokens, given all before them. */
      z.literal("likelihood"),
      /**
       * An implicit PRM (Yuan et al. 2024): how much likelier than by a reference model the solution is up to the step's end.
       * The score is sigmoid(beta x the sum of its tokens' log-probabilities by the model less those by the reference).
       */
      z.strictObject({ ratio: z.strictObject({ beta: z.number().positive() }) }),
      /** Two token texts: the first one's share of their probabilities. */
      z.strictObject({ pair: z.tuple([z.string().min(1), z.string().min(1)]) }),
      /** A reward head on the final hidden state; the probability of these classes together. */
      z.strictObject({ head: z.enum(["sigmoid", "softmax"]), classes: z.array(classNumber).min(1) }),
      /** A judge. */
      z.strictObject({ analysis }),
    ]),
    /** It is read one token before the step's end. */
    beforeLast: z.boolean().optional(),
    aggregation: z.enum(aggregations),
  })
  .refine(({ first, next }) => [first ?? next, next].every((part) => frameOf(part)), {
    message: 'first and next must have "{step}" in them, once',
  })
  .refine(({ chat, prompt, probe }) => chat === undefined || (prompt === undefined && probe === undefined), {
    path: ["chat"],
    message: "says what prompt and probe are: leave those out",
  })
  .refine(
    ({ read, words, beyond, end }) =>
      (beyond === undefined && end === undefined) || (sumsUp(read) && words === "joined"),
    { path: ["beyond"], message: "and end are for a likelihood or a ratio whose words are joined" },
  )
  .refine(({ read, probe, chat }) => !sumsUp(read) || (probe === undefined && chat === undefined), {
    path: ["read"],
    message: "a likelihood or a ratio is of the step's own tokens: give a prompt, and no chat and no probe",
  })
  .refine(
    ({ read, beforeLast, probe, chat }) => !beforeLast || (!sumsUp(read) && probe === undefined && chat === undefined),
    {
      path: ["beforeLast"],
      message: "is for a pair or a head, without a probe",
    },
  )
  .refine(({ read, chat, oneLine }) => !judges(read) || (chat !== undefined && !oneLine), {
    path: ["chat"],
    message: "a judge is asked by a chat, and its steps are shown as they are",
  });

function judges(read: unknown): read is { analysis: JudgeReading } {
  return typeof read === "object" && read !== null && "analysis" in read;
}

export type VerifierRecipe = z.input<typeof recipeSchema>;
export type CheckedRecipe = z.output<typeof recipeSchema>;

/** The verifier's own log-probability of a step: what any language model can be read as (an implicit PRM). */
export const likelihood: CheckedRecipe = {
  name: "likelihood",
  next: "{step}",
  words: "own",
  read: "likelihood",
  aggregation: "min",
};

type Read = "likelihood" | object;

/** It needs a reference model: an implicit PRM. */
export function comparesModels(read: Read): boolean {
  return typeof read === "object" && "ratio" in read;
}

/** Every token of a step is read, and not one row. */
function sumsUp(read: Read): boolean {
  return read === "likelihood" || comparesModels(read);
}

/** @throws {ThinkTreeError} INVALID_OPTION: what is wrong with it, and where it comes from */
export function checkRecipe(recipe: unknown, from: string): CheckedRecipe {
  return parseNamed(recipeSchema, recipe, `${from} is no verifier's recipe`);
}

/** What stands around a step. */
export interface Frame {
  readonly before: string;
  readonly after: string;
  readonly trims: boolean;
}

/** Undefined: the template has no place for a step, or several. */
export function frameOf(template: string): Frame | undefined {
  const parts = template.split(/(\{step(?:\|trim)?\})/);
  if (parts.length !== 3) return undefined;
  return { before: parts[0]!, after: parts[2]!, trims: parts[1] === "{step|trim}" };
}
