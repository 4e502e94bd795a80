/**
 * A byte-level BPE vocabulary of any size without a text to learn it from.
 *
 * Owns: the tokens' texts and the `tokenizer.*` metadata. Must not know: weights.
 *
 * Ids 0 to 255 are the bytes, the last is the end token, those between are words. There is one merge and no text has
 * it, so every byte of a prompt is one token: a prompt of 512 characters has 512 tokens.
 *
 * For models that write steps, the words fall into classes of equal size, one after the other: after a word of class k
 * a step has k tokens to go, so those of class 0 end in a newline. Some words of each class may begin a step, as many as
 * steps of that length are to be written.
 */
import type { Metadata } from "#lib/models/gguf.js";

export const byteTokens = 256;
/** The bytes, the end token, and words enough to sample from. */
const smallestVocabulary = 512;

const tokenType = { normal: 1, control: 3 } as const;
const letters = 26;
const newline = "\u010a"; // "\n" in the byte alphabet

export interface Vocabulary {
  readonly size: number;
  readonly endToken: number;
  /** How often steps of each length are written: the first number is for a single token. None: no word ends a step. */
  readonly stepLengths: readonly number[];
}

export function vocabularyOf(size: number, stepLengths: readonly number[]): Vocabulary {
  if (!(size >= smallestVocabulary))
    throw new RangeError(`a vocabulary needs ${smallestVocabulary} tokens, not ${size}`);
  return { size, endToken: size - 1, stepLengths };
}

/** Tokens that the step still needs after this one. A byte is as the end of a step. */
export function classOf(token: number, vocabulary: Vocabulary): number {
  return token < byteTokens ? 0 : Math.floor((token - byteTokens) / classSize(vocabulary));
}

/** Whether the word may follow the end of a step. */
export function beginsStep(token: number, vocabulary: Vocabulary): boolean {
  const { stepLengths } = vocabulary;
  const word = (token - byteTokens) % classSize(vocabulary);
  const share = stepLengths[classOf(token, vocabulary)]! / Math.max(...stepLengths);
  return token >= byteTokens && word < share * classSize(vocabulary);
}

function classSize({ endToken, stepLengths }: Vocabulary): number {
  return Math.ceil((endToken - byteTokens) / stepLengths.length);
}

export function tokenizerMetadata(vocabulary: Vocabulary): Metadata {
  const { size, endToken, stepLengths } = vocabulary;
  const tokens = byteAlphabet();
  for (let id = byteTokens; id < endToken; id++) {
    const ending = stepLengths.length > 0 && classOf(id, vocabulary) === 0 ? newline : "";
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
