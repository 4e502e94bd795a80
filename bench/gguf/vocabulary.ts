/**
 * A byte-level BPE vocabulary of any size without a text to learn it from.
 *
 * Owns: the tokens' texts and the `tokenizer.*` metadata. Must not know: weights.
 *
 * Ids 0 to 255 are the bytes, the last is the end token, those between are words. There is one merge and no text has
 * it, so every byte of a prompt is one token: a prompt of 512 characters has 512 tokens.
 */
import type { Metadata } from "./container.js";

export const byteTokens = 256;
/** The bytes, the end token, and words enough to sample from. */
const smallestVocabulary = 512;

const tokenType = { normal: 1, control: 3 } as const;
const letters = 26;
const newline = "\u010a"; // "\n" in the byte alphabet

export interface Vocabulary {
  readonly size: number;
  readonly endToken: number;
  /** Words fall into this many classes; those of the last end in a newline. 0: no word has one. */
  readonly stepLength: number;
}

export function vocabularyOf(size: number, stepLength: number): Vocabulary {
  if (!(size >= smallestVocabulary))
    throw new RangeError(`a vocabulary needs ${smallestVocabulary} tokens, not ${size}`);
  return { size, endToken: size - 1, stepLength };
}

/** Bytes count as the last class, as if a step had just ended. */
export function classOf(token: number, { stepLength }: Vocabulary): number {
  return token < byteTokens ? stepLength - 1 : token % stepLength;
}

export function tokenizerMetadata(vocabulary: Vocabulary): Metadata {
  const { size, endToken, stepLength } = vocabulary;
  const tokens = byteAlphabet();
  for (let id = byteTokens; id < endToken; id++) {
    const ending = stepLength > 0 && classOf(id, vocabulary) === stepLength - 1 ? newline : "";
    tokens.push(word(id - byteTokens) + ending);
  }
  tokens.push("<|endoftext|>");
  const types = new Int32Array(size).fill(tokenType.normal);
  types[endToken] = tokenType.control;
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "qwen2",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": types,
    "tokenizer.ggml.merges": ["\u00fe \u00ff"], // llama.cpp wants a list that is not empty; no UTF-8 text has these bytes
    "tokenizer.ggml.eos_token_id": { uint32: endToken },
    "tokenizer.ggml.padding_token_id": { uint32: endToken },
    "tokenizer.ggml.add_bos_token": false,
  };
}

/** A text of exactly so many tokens, of plain words. */
export function textOf(tokens: number): string {
  const words = "the quick brown fox jumps over the lazy dog and runs along the river to find an old boat ";
  return words.repeat(Math.ceil(tokens / words.length)).slice(0, tokens - 1) + ".";
}

/** GPT-2's names of the 256 bytes: printable ones are themselves, the others follow from U+0100 on. */
function byteAlphabet(): string[] {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let others = 0;
  return Array.from({ length: byteTokens }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : 256 + others++));
}

/** aa, ba, ... zz, aaa, ...: at least two letters, so that none is a byte's name. */
function word(index: number): string {
  let text = "";
  let left = index + letters;
  do {
    text += String.fromCharCode(97 + (left % letters));
    left = Math.floor(left / letters) - 1;
  } while (left >= 0);
  return text;
}
