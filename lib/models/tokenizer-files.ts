/**
 * tokenizer.json and tokenizer_config.json.
 *
 * Owns: their layouts, as far as a vocabulary needs them. Must not know: GGUF.
 */
import { z } from "zod";

import type { Checkpoint } from "./checkpoint.js";

const id = z.number().int().nonnegative();

const tokenizerJson = z.looseObject({
  added_tokens: z.array(z.looseObject({ id, content: z.string(), special: z.boolean().default(false) })).default([]),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown(),
  post_processor: z.unknown(),
  model: z.looseObject({
    type: z.string().default("BPE"),
    vocab: z.record(z.string(), id),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    byte_fallback: z.boolean().default(false),
    unk_token: z.string().nullish(),
  }),
});

const namedToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const template = z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]);

const tokenizerConfig = z.looseObject({
  add_bos_token: z.boolean().nullish(),
  add_eos_token: z.boolean().nullish(),
  bos_token: namedToken,
  eos_token: namedToken,
  pad_token: namedToken,
  unk_token: namedToken,
  chat_template: template.nullish(),
});

export interface Tokenizer {
  readonly json: z.infer<typeof tokenizerJson>;
  readonly config: z.infer<typeof tokenizerConfig>;
  readonly chatTemplate: string | undefined;
}

/** @throws {ThinkTreeError} MODEL_LOAD_FAILED: a file is missing or of another layout */
export async function readTokenizer(checkpoint: Checkpoint): Promise<Tokenizer> {
  const json = await checkpoint.json("tokenizer.json", tokenizerJson);
  const config = (await checkpoint.jsonIfAny("tokenizer_config.json", tokenizerConfig)) ?? {};
  const { chat_template: given } = config;
  const inConfig = typeof given === "string" ? given : given?.find(({ name }) => name === "default")?.template;
  return { json, config, chatTemplate: inConfig ?? (await checkpoint.textIfAny("chat_template.jinja")) };
}

/** The text of a token that tokenizer_config.json names. */
export function textOf(token: z.infer<typeof namedToken>): string | undefined {
  return typeof token === "string" ? token : token?.content;
}

interface Piece {
  readonly type?: unknown;
  readonly [name: string]: unknown;
}

/** The parts of a normalizer, pre-tokenizer or post-processor, whichever way they are nested. */
export function piecesOf(value: unknown): Piece[] {
  if (Array.isArray(value)) return value.flatMap(piecesOf);
  if (typeof value !== "object" || value === null) return [];
  const piece = value as Piece;
  return piece.type === "Sequence"
    ? ["normalizers", "pretokenizers", "processors"].flatMap((name) => piecesOf(piece[name]))
    : [piece];
}
