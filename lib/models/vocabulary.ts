/**
 * A Hugging Face tokenizer as the vocabulary of a GGUF file, so that llama.cpp finds the same tokens in a text.
 *
 * Owns: byte-level BPE (Qwen2, Llama 3) and SentencePiece's BPE with bytes for what it lacks (Llama 2, Mistral): token types,
 * merges or scores, and what is put before a text. Must not know: files, weights.
 *
 * One thing llama.cpp cannot do: Qwen2's tokenizer first brings a text into Unicode's form NFC. Texts that are not in it
 * already (few are) have other tokens there.
 */
import { ThinkTreeError } from "../errors.js";
import type { Metadata } from "./gguf.js";
import type { ModelConfig } from "./model-config.js";
import { piecesOf, textOf, type Tokenizer } from "./tokenizer-files.js";

/** llama.cpp's numbers for them. */
const tokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** How llama.cpp names the ways of cutting a text into words, by what tokenizer.json cuts at. */
const preTokenizers = new Map(
  (["1", "1,3"] as const).map((digits) => [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
      `\\p{N}${digits === "1" ? "" : `{${digits}}`}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    digits === "1" ? "qwen2" : "llama-bpe",
  ]),
);

/** Lower than any merge's: nothing that tokenizer.json has no merge for is made while there is another way. */
const neverMerged = -1e9;

/**
 * @param size rows of the embedding matrix
 * @throws {ThinkTreeError} UNSUPPORTED_MODEL: another kind of tokenizer; MODEL_LOAD_FAILED: ids that cannot be
 */
export function vocabularyMetadata(tokenizer: Tokenizer, config: ModelConfig, size: number): Metadata {
  const { json, chatTemplate } = tokenizer;
  if (json.model.type !== "BPE") throw unsupported(`a model of type ${json.model.type}; known is BPE`);
  const tokens = tokensOf(tokenizer, size);
  const types = typesOf(tokenizer, tokens);
  return {
    ...(json.model.byte_fallback ? sentencePiece(tokenizer, tokens, types) : byteLevel(tokenizer)),
    "tokenizer.ggml.tokens": tokens.map((text, id) => text ?? padding(id)),
    "tokenizer.ggml.token_type": types,
    ...specialTokens(tokenizer, config, tokens),
    ...(chatTemplate !== undefined && { "tokenizer.chat_template": chatTemplate }),
  };
}

/** By id; undefined where no token has it. */
function tokensOf({ json }: Tokenizer, size: number): (string | undefined)[] {
  const tokens = new Array<string | undefined>(size).fill(undefined);
  const seen = new Map<string, number>();
  const place = (text: string, id: number) => {
    if (id >= size) throw failed(`token ${id} (${text}) has no embedding: there are ${size}`);
    const other = tokens[id] ?? text;
    if (other !== text) throw failed(`${other} and ${text} are both token ${id}`);
    // llama.cpp ends the process where two ids have one text.
    if ((seen.get(text) ?? id) !== id) throw failed(`${text} is token ${seen.get(text)} and token ${id}`);
    tokens[id] = text;
    seen.set(text, id);
  };
  for (const [text, id] of Object.entries(json.model.vocab)) place(text, id);
  for (const { content, id } of json.added_tokens) place(content, id);
  tokens.forEach((text, id) => {
    if (text === undefined && seen.has(padding(id))) throw failed(`${padding(id)} is token ${seen.get(padding(id))}`);
    if (text === "") throw failed(`token ${id} has no text`);
  });
  return tokens;
}

function padding(id: number): string {
  return `[PAD${id}]`;
}

function typesOf({ json }: Tokenizer, tokens: readonly (string | undefined)[]): Int32Array {
  const { byte_fallback: hasBytes, unk_token: unknown } = json.model;
  const types = Int32Array.from(tokens, (text) => {
    if (text === undefined) return tokenType.unused;
    return hasBytes && /^<0x[0-9A-F]{2}>$/.test(text) ? tokenType.byte : tokenType.normal;
  });
  for (const { id, special, content } of json.added_tokens) {
    types[id] = hasBytes && content === unknown ? tokenType.unknown : special ? tokenType.control : tokenType.userDefined;
  }
  return types;
}

function byteLevel({ json }: Tokenizer): Metadata {
  const cuts = piecesOf(json.pre_tokenizer).filter(({ type }) => type === "Split");
  const patterns = cuts.map(({ pattern }) => String((pattern as { Regex?: unknown } | undefined)?.Regex));
  const name = patterns.length === 1 ? preTokenizers.get(patterns[0]!) : undefined;
  if (name === undefined) {
    throw unsupported(`words cut at ${patterns.join(", ") || "nothing"}; known are the patterns of Qwen2 and Llama 3`);
  }
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": name,
    "tokenizer.ggml.merges": json.model.merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" "))),
  };
}

/** llama.cpp merges neighbours by the score of what they become, the highest first; tokenizer.json by the merges' order. */
function sentencePiece(
  { json }: Tokenizer,
  tokens: readonly (string | undefined)[],
  types: Int32Array,
): Metadata {
  const ranks = new Map<string, number>();
  json.model.merges.forEach((pair, rank) => {
    const whole = typeof pair === "string" ? pair.replace(" ", "") : pair.join("");
    if (!ranks.has(whole)) ranks.set(whole, rank);
  });
  const scores = Float32Array.from(tokens, (text, id) => {
    if (types[id] !== tokenType.normal) return 0;
    const rank = ranks.get(text!);
    return rank === undefined ? neverMerged : -rank;
  });
  return {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.pre": "default",
    "tokenizer.ggml.scores": scores,
    "tokenizer.ggml.add_space_prefix": putsSpaceFirst(json),
  };
}

function putsSpaceFirst({ normalizer, pre_tokenizer: preTokenizer }: Tokenizer["json"]): boolean {
  const prepends = piecesOf(normalizer).some(({ type }) => type === "Prepend");
  const metaspace = piecesOf(preTokenizer).find(({ type }) => type === "Metaspace");
  if (metaspace === undefined) return prepends;
  const scheme = metaspace["prepend_scheme"] ?? (metaspace["add_prefix_space"] === false ? "never" : "always");
  return prepends || scheme !== "never";
}

function specialTokens(
  { json, config: names }: Tokenizer,
  config: ModelConfig,
  tokens: readonly (string | undefined)[],
): Metadata {
  const idOf = (text: string | undefined) => (text === undefined ? -1 : tokens.indexOf(text));
  const metadata: Record<string, Metadata[string]> = {};
  const tell = (name: string, text: string | undefined, otherwise?: number | readonly number[] | null) => {
    const named = idOf(text);
    const id = named >= 0 ? named : ([otherwise ?? []].flat()[0] ?? -1);
    if (id >= 0 && id < tokens.length) metadata[`tokenizer.ggml.${name}_token_id`] = { uint32: id };
  };
  tell("bos", textOf(names.bos_token), config.bos_token_id);
  tell("eos", textOf(names.eos_token), config.eos_token_id);
  tell("padding", textOf(names.pad_token));
  tell("unknown", json.model.unk_token ?? textOf(names.unk_token));

  const template = piecesOf(json.post_processor).find(({ type }) => type === "TemplateProcessing");
  const single = Array.isArray(template?.["single"]) ? (template["single"] as object[]) : [];
  const adds = (piece: object | undefined) => piece !== undefined && "SpecialToken" in piece;
  const bos = names.add_bos_token ?? adds(single[0]);
  metadata["tokenizer.ggml.add_bos_token"] = bos && "tokenizer.ggml.bos_token_id" in metadata;
  const eos = names.add_eos_token ?? adds(single.at(-1));
  metadata["tokenizer.ggml.add_eos_token"] = eos && "tokenizer.ggml.eos_token_id" in metadata;
  return metadata;
}

function unsupported(what: string): ThinkTreeError {
  return new ThinkTreeError("UNSUPPORTED_MODEL", `tokenizer.json: ${what}`);
}

function failed(what: string): ThinkTreeError {
  return new ThinkTreeError("MODEL_LOAD_FAILED", `tokenizer.json: ${what}`);
}
