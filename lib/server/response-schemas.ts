/**
 * What responses look like, for the OpenAPI description.
 *
 * Owns: these schemas; tests hold the responses to them, and to OpenAI's own.
 * Must not know: how responses come about.
 */
import { z } from "zod";

const count = z.number().int().nonnegative();
const reason = z.enum(["stop", "length"]);

export const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .describe("What is wrong, and the parameter that is to blame");

const usage = z.object({
  prompt_tokens: count.describe("Prefilled by the generator, once for all branches"),
  completion_tokens: count.describe("Generated on all branches"),
  total_tokens: count,
  completion_tokens_details: z.object({
    reasoning_tokens: count.describe("Generated tokens that the first choice does not consist of"),
  }),
});

const step = z.object({ text: z.string(), score: z.number().nullable(), tokens: count, logProbability: z.number() });

const found = z
  .object({
    answer: z.string().nullable().describe("The final answer; null if the solution states none"),
    text: z.string(),
    score: z.number().nullable(),
    steps: z.array(step),
    candidates: z.array(z.looseObject({ answer: z.string().nullable(), text: z.string(), finished: z.boolean() })),
    strategy: z.object({ name: z.string(), options: z.record(z.string(), z.unknown()) }),
    decision: z.looseObject({}).nullable(),
    finishReason: z.enum(["complete", "budget", "deadline", "stopped"]),
    generations: count,
    seed: count,
    ledger: z.record(z.string(), z.number()),
  })
  .describe("What the search was and what it cost, exactly; as `thinktree solve --json` prints it");

const head = { id: z.string(), created: count, model: z.string(), system_fingerprint: z.string() };
const choice = { index: count, finish_reason: reason, logprobs: z.null() };

export const chatCompletion = z.object({
  ...head,
  object: z.literal("chat.completion"),
  choices: z.array(
    z.object({
      ...choice,
      message: z.object({ role: z.literal("assistant"), content: z.string(), refusal: z.null() }),
    }),
  ),
  usage,
  thinktree: found,
});

export const textCompletion = z.object({
  ...head,
  object: z.literal("text_completion"),
  choices: z.array(z.object({ ...choice, text: z.string() })),
  usage,
  thinktree: found,
});

export const model = z.object({ id: z.string(), object: z.literal("model"), created: count, owned_by: z.string() });
export const modelList = z.object({ object: z.literal("list"), data: z.array(model) });
export const health = z.object({ status: z.string() });
