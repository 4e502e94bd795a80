/**
 * How a generator is asked and its text is read, as data: those that come with the package are models/recipes/generators.
 *
 * Owns: the recipe's fields and checks, plain completion.
 * Must not know: the engine, how models are found, chat templates.
 */
import { z } from "zod";

import { parseNamed } from "../errors.js";
import { stepRuleSchema } from "./step-rule.js";

const text = z.string();
const patterns = z.array(z.string().min(1)).min(1);

const recipeSchema = z
  .strictObject({
    name: z.string().min(1),
    /** Where it is described: a model card. */
    source: text.optional(),
    /** Regular expressions; a model whose name one of them matches, in any case, is asked so. */
    matches: patterns.optional(),
    /** The same for a model's chat template; comes before names. */
    matchesTemplate: patterns.optional(),
    /** What the model is told besides the question, unless the option `system` says otherwise. Default: nothing. */
    system: text.default(""),
    /** What the model reads: `{question}` and `{system}` stand for those. Special tokens are recognised, not in a question. */
    prompt: text.optional(),
    /** Instead of a prompt: turns of a chat, which the model's own template makes a prompt of. Empty ones are left out. */
    chat: z
      .array(z.strictObject({ role: z.string().min(1), content: text }))
      .min(1)
      .optional(),
    /** Where a step ends. Default: a line is a step. */
    steps: stepRuleSchema.default({ delimiter: "\n" }),
    /** A step that begins with it is the last, and the answer follows it. Default: only the model's end token ends. */
    answerPrefix: text.optional(),
    /** The solution ends before any of these texts. */
    stop: z.array(z.string().min(1)).optional(),
    /** What is between these is thought: its steps are steps, but no answer is read there. */
    thinking: z.strictObject({ begin: z.string().min(1), end: z.string().min(1) }).optional(),
  })
  .refine(({ chat, prompt }) => (chat === undefined) !== (prompt === undefined), {
    message: "either prompt or chat says how the question is put",
  })
  .refine(
    ({ chat, prompt = "" }) => (chat?.map(({ content }) => content).join() ?? prompt).split(questionPlace).length === 2,
    {
      message: 'prompt or chat must have "{question}" in it, once',
    },
  );

/** Stand for the question and for the system prompt in prompts and turns. */
export const questionPlace = "{question}";
export const systemPlace = "{system}";

export type GeneratorRecipe = z.input<typeof recipeSchema>;
export type CheckedGeneratorRecipe = z.output<typeof recipeSchema>;

/** For a model without a chat template, or one that is to be asked without it. */
export const completion: CheckedGeneratorRecipe = {
  name: "completion",
  system: "",
  prompt: "Question: {question}\nAnswer:",
  steps: { delimiter: "\n" },
  stop: ["\nQuestion:"],
};

/** @throws {ThinkTreeError} INVALID_OPTION: what is wrong with it, and where it comes from */
export function checkGeneratorRecipe(recipe: unknown, from: string): CheckedGeneratorRecipe {
  return parseNamed(recipeSchema, recipe, `${from} is no generator's recipe`);
}
