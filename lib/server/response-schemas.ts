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

const recordedStep = z
  .object({
    id: count.describe("From 0, in the order of writing"),
    parent: count.nullable().describe("The step it follows; null: the question"),
    text: z.string(),
    given: z.boolean().describe("Given by the strategy between two attempts, not written by the model"),
    tokens: count,
    score: z.number().min(0).max(1).nullable().describe("The verifier's; null: not yet, or never scored"),
    round: count.describe("From 1: when it was written"),
    pruned: count.nullable().describe("The round in which it was given up; null: it is held, or leads to a solution"),
    solution: z
      .object({ answer: z.string().nullable(), score: z.number().nullable(), whole: z.boolean() })
      .nullable()
      .describe("The solution that ends here; its score comes with the answer"),
  })
  .describe("A step, whole: it takes the place of what was told of the same id before");

/** The field `thinktree` of the chunks before the answer. */
export const searchNews = z.object({
  progress: z
    .object({
      round: count.describe("Of the strategy under way, from 1"),
      live: count.describe("Branches that go on growing"),
      finished: count.describe("Whole solutions"),
      bestScore: z.number().nullable(),
      generatedTokens: count,
      promptTokens: count,
      verifierPromptTokens: count,
      verifierTokens: count,
      milliseconds: z.number().nonnegative(),
    })
    .optional()
    .describe("A round that is over, and what the search has cost by then"),
  tree: z
    .object({
      steps: z.array(recordedStep).describe("New ones, and known ones that have changed"),
      rounds: count.describe("The last round, over all strategies that ran"),
      chosen: count.nullable().describe("Where the chosen solution ends; null until the last of these chunks"),
    })
    .optional()
    .describe(
      "Since the chunk before: a reader that is slow gets fewer chunks, and always the whole tree before the answer",
    ),
});

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

const anyReason = reason.nullable();
const streamed = {
  usage: usage.nullish().describe("In the last chunk, if stream_options.include_usage asks for it"),
  thinktree: z
    .union([found, searchNews])
    .optional()
    .describe(
      "News of the search, if thinktree.progress or thinktree.tree asks for it; in the last choice's end what was found",
    ),
};

/** The data of a stream's events, but for the last, which is [DONE], and for errors. */
export const chatChunk = z.object({
  ...head,
  object: z.literal("chat.completion.chunk"),
  choices: z.array(
    z.object({
      ...{ index: count, finish_reason: anyReason, logprobs: z.null() },
      delta: z.object({ role: z.literal("assistant").optional(), content: z.string().optional() }),
    }),
  ),
  ...streamed,
});

export const textChunk = z.object({
  ...head,
  object: z.literal("text_completion"),
  choices: z.array(z.object({ index: count, text: z.string(), finish_reason: anyReason, logprobs: z.null() })),
  ...streamed,
});

export const model = z.object({ id: z.string(), object: z.literal("model"), created: count, owned_by: z.string() });
export const modelList = z.object({ object: z.literal("list"), data: z.array(model) });
export const health = z.object({ status: z.string() });
