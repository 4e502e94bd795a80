/**
 * The real tokenizers of Qwen2, Llama 3 and Llama 2 as Hugging Face's files, from the vocabularies in llama.cpp's source.
 *
 * Owns: tokenizer.json and tokenizer_config.json as those families' checkpoints have them. Must not know: weights.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { readGgufFileInfo } from "node-llama-cpp";

export type TokenizerName = "qwen2" | "llama-bpe" | "llama-spm";

interface Ggml {
  readonly tokens: readonly string[];
  readonly token_type: readonly number[];
  readonly merges: readonly string[];
  readonly scores: readonly number[];
}

export interface TokenizerFiles {
  readonly json: object;
  readonly config: object;
}

/** Unpacked by the build. */
function llamaFolder(): string {
  const build = fileURLToPath(new URL("../../build/", import.meta.url));
  const roots = [build, join(process.cwd(), "build")]; // compiled, this file lies elsewhere
  for (const root of roots) {
    const name = ls(root).find((entry) => /^llama\.cpp-[0-9a-f]{8}$/.test(entry));
    if (name !== undefined) return join(root, name, "models");
  }
  throw new Error("llama.cpp's source is not unpacked: run npm run build");
}

function ls(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const control = 3;
const wordPattern = (digits: string) =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  `\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** What Qwen2.5 adds to Qwen2's vocabulary; the process reward models have `<extra_0>` for a step's end. */
const qwenAdded = ["<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>"];
const qwenExtras = ["<extra_0>", "<extra_1>", "<extra_2>"];
const qwenFirstAdded = 151_643;

/** @param system what the chat template says if a conversation has no system turn */
export async function tokenizerFiles(name: TokenizerName, system?: string): Promise<TokenizerFiles> {
  const models = llamaFolder();
  const { metadata } = await readGgufFileInfo(join(models, `ggml-vocab-${name}.gguf`), {
    ...{ logWarnings: false, readTensorInfo: false },
  });
  const ggml = metadata.tokenizer.ggml as unknown as Ggml;
  const template = (file: string) => readFileSync(join(models, "templates", file), "utf8");
  if (name === "qwen2") return qwen2(ggml, template("Qwen-Qwen2.5-7B-Instruct.jinja"), system);
  if (name === "llama-bpe") return llama3(ggml, template("meta-llama-Llama-3.1-8B-Instruct.jinja"));
  return llama2(ggml);
}

/** Of many models, by their files' names, as llama.cpp keeps them for its own tests. */
export function chatTemplates(): ReadonlyMap<string, string> {
  const folder = join(llamaFolder(), "templates");
  const names = readdirSync(folder).filter((name) => name.endsWith(".jinja"));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

function qwen2(ggml: Ggml, template: string, system: string | undefined): TokenizerFiles {
  const added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", ...qwenAdded, ...qwenExtras];
  const usual = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
  return {
    json: {
      ...common(added.map((content, i) => special(qwenFirstAdded + i, content))),
      normalizer: { type: "NFC" },
      pre_tokenizer: words(""),
      post_processor: byteLevel,
      decoder: byteLevel,
      model: bpe(ggml.tokens.slice(0, qwenFirstAdded), ggml.merges, { byte_fallback: false, ignore_merges: false }),
    },
    config: {
      ...{ tokenizer_class: "PreTrainedTokenizerFast", add_bos_token: false },
      ...{ bos_token: null, eos_token: "<|im_end|>", pad_token: "<|endoftext|>" },
      chat_template: system === undefined ? template : template.replaceAll(usual, system),
    },
  };
}

function llama3(ggml: Ggml, template: string): TokenizerFiles {
  const [first, bos] = [ggml.token_type.indexOf(control), "<|begin_of_text|>"];
  return {
    json: {
      ...common(ggml.tokens.slice(first).map((content, i) => special(first + i, content))),
      normalizer: null,
      pre_tokenizer: words("{1,3}"),
      post_processor: { type: "Sequence", processors: [byteLevel, startingWith(bos, first)] },
      decoder: byteLevel,
      model: bpe(ggml.tokens.slice(0, first), ggml.merges, { byte_fallback: false, ignore_merges: true }),
    },
    config: {
      ...{ tokenizer_class: "PreTrainedTokenizerFast", bos_token: bos, eos_token: "<|eot_id|>" },
      chat_template: template,
    },
  };
}

function llama2(ggml: Ggml): TokenizerFiles {
  const names = ["<unk>", "<s>", "</s>"];
  return {
    json: {
      ...common(names.map((content, id) => ({ ...special(id, content), normalized: false }))),
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
        ],
      },
      pre_tokenizer: null,
      post_processor: startingWith("<s>", 1),
      decoder: null,
      model: bpe(ggml.tokens, mergesOf(ggml), { byte_fallback: true, fuse_unk: true, unk_token: "<unk>" }),
    },
    config: {
      ...{ tokenizer_class: "PreTrainedTokenizerFast", add_bos_token: true, add_eos_token: false },
      ...{ bos_token: addedToken("<s>"), eos_token: addedToken("</s>"), unk_token: addedToken("<unk>") },
    },
  };
}

/** As transformers makes them of a SentencePiece model: all ways to halve a piece, those of the highest score first. */
function mergesOf({ tokens, scores }: Ggml): [string, string][] {
  const ids = new Map(tokens.map((text, id) => [text, id]));
  const found = tokens.flatMap((text, id) => {
    const letters = [...text];
    const halves = letters.slice(1).map((_, i) => {
      const [left, right] = [letters.slice(0, i + 1), letters.slice(i + 1)];
      return { left: left.join(""), right: right.join(""), score: scores[id]!, lengths: [left.length, right.length] };
    });
    return halves
      .filter(({ left, right }) => ids.has(left) && ids.has(right))
      .sort((a, b) => ids.get(a.left)! - ids.get(b.left)! || ids.get(a.right)! - ids.get(b.right)!);
  });
  return found
    .sort((a, b) => b.score - a.score || b.lengths[0]! - a.lengths[0]! || b.lengths[1]! - a.lengths[1]!)
    .map(({ left, right }) => [left, right]);
}

function common(added: readonly object[]): object {
  return { version: "1.0", truncation: null, padding: null, added_tokens: added };
}

function special(id: number, content: string): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** As older versions of transformers write it. */
function addedToken(content: string): object {
  return { __type: "AddedToken", content, lstrip: false, normalized: false, rstrip: false, single_word: false };
}

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };

function words(digits: string): object {
  const split = { type: "Split", pattern: { Regex: wordPattern(digits) }, behavior: "Isolated", invert: false };
  return { type: "Sequence", pretokenizers: [split, byteLevel] };
}

function startingWith(text: string, id: number): object {
  const start = { SpecialToken: { id: text, type_id: 0 } };
  return {
    type: "TemplateProcessing",
    single: [start, { Sequence: { id: "A", type_id: 0 } }],
    pair: [start, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: { [text]: { id: text, ids: [id], tokens: [text] } },
  };
}

function bpe(tokens: readonly string[], merges: readonly (string | readonly string[])[], others: object): object {
  return {
    ...{ type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
    ...{ fuse_unk: false, ...others },
    vocab: Object.fromEntries(tokens.map((text, id) => [text, id])),
    merges,
  };
}
