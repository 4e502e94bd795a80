/**
 * Broken and hostile GGUF files, as many as wanted, from whole ones.
 *
 * Owns: what is broken, and how. Must not know: who reads the files.
 *
 * Random bytes alone hardly get past a header. So most mutations change one thing's meaning and keep the rest in order: a
 * hyper-parameter, the vocabulary, a tensor whose data is laid out anew to fit.
 */
import { seededRandom } from "../../lib/evaluation/statistics.js";
import { arrayType, parseGguf, serialiseGguf, stringType, type Entry, type Scalar } from "./gguf-file.js";

export interface Mutant {
  readonly bytes: Buffer;
  readonly what: string;
}

/** Numbers that code divides by, multiplies, allocates, casts or indexes with. */
const hostileIntegers = [
  ...[0, 1, 2, 3, 5, 7, 8, 31, 33, 64, 127, 255, 511, 512, 513, 4096, 65_535, 65_536, 1_000_003],
  ...[0x100_0000, 0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff],
  ...[1n << 40n, (1n << 62n) + 1n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n],
];
const hostileFloats = [0, -0, -1, 1e-45, 1e-30, 3e38, -3e38, NaN, Infinity, -Infinity];
const kinds = { uint32: 4, int32: 5, float32: 6, bool: 7, string: stringType, uint64: 10 } as const;

/** Hyper-parameters that the whole files may lack. */
const moreKeys: readonly [name: string, type: number][] = [
  ...[
    ...["vocab_size", "expert_count", "expert_used_count", "expert_group_count", "expert_group_used_count"],
    ...["expert_shared_count", "expert_gating_func", "leading_dense_block_count", "nextn_predict_layers"],
    ...["attention.key_length", "attention.value_length", "attention.sliding_window", "embedding_length_out"],
    ...[
      "attention.sliding_window_pattern",
      "pooling_type",
      "rope.scaling.original_context_length",
      "decoder_block_count",
    ],
    ...["attention.key_length_mla", "attention.kv_lora_rank", "attention.key_length_swa", "rope.dimension_count_swa"],
    ...["n_deepstack_layers", "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size", "attention.head_count_kv"],
    ...["ssm.group_count", "ssm.time_step_rank", "shortconv.l_cache", "kda.head_dim", "full_attention_interval"],
  ].map((name): [string, number] => [name, kinds.uint32]),
  ...[
    ...["rope.scaling.factor", "rope.scale_linear", "rope.freq_base", "attention.max_alibi_bias", "logit_scale"],
    ...["attention.clamp_kqv", "attention.scale", "rope.scaling.attn_factor", "final_logit_softcapping"],
  ].map((name): [string, number] => [name, kinds.float32]),
  ["rope.scaling.type", kinds.string],
  ["attention.causal", kinds.bool],
  ["use_parallel_residual", kinds.bool],
];
const generalKeys: readonly [name: string, type: number][] = [
  ...[
    ...["general.alignment", "split.count", "split.no", "split.tensors.count", "tokenizer.ggml.token_type_count"],
    ...["tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id"],
    ...["tokenizer.ggml.eot_token_id", "tokenizer.ggml.padding_token_id", "tokenizer.ggml.prefix_token_id"],
  ].map((name): [string, number] => [name, kinds.uint32]),
  ["split.count", 2],
  ["split.no", 2],
  ["tokenizer.ggml.add_bos_token", kinds.bool],
  ["tokenizer.ggml.add_eos_token", kinds.bool],
  ["tokenizer.ggml.add_sep_token", kinds.bool],
  ["tokenizer.ggml.add_space_prefix", kinds.bool],
  ["tokenizer.ggml.remove_extra_whitespaces", kinds.bool],
  ["tokenizer.ggml.pre", kinds.string],
  ["tokenizer.chat_template", kinds.string],
  ["thinktree.prompt_template", kinds.string],
  ["thinktree.verifier.reading", kinds.string],
  ["general.type", kinds.string],
];
const architectures = [
  ...[
    "llama",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
    "phi3",
    "falcon",
    "gpt2",
    "mpt",
    "bloom",
    "stablelm",
    "starcoder2",
  ],
  ...["olmo", "olmo2", "granite", "command-r", "cohere2", "llama4", "deci", "internlm2", "minicpm", "exaone", "glm4"],
  ...[
    "qwen2moe",
    "mamba",
    "mamba2",
    "jamba",
    "rwkv7",
    "t5",
    "t5encoder",
    "bert",
    "clip",
    "dream",
    "llama-embed",
    "mistral3",
  ],
  ...[
    "smollm3",
    "gpt-oss",
    "apertus",
    "arcee",
    "seed_oss",
    "ernie4_5",
    "hunyuan-dense",
    "nanbeige",
    "eagle3",
    "dflash",
  ],
  ...[
    "lfm2",
    "lfm2moe",
    "falcon-h1",
    "granitehybrid",
    "nemotron_h",
    "qwen3next",
    "qwen35",
    "kimi-linear",
    "minimax-01",
  ],
  ...["plamo2", "deepseek4", "qwen4exp", "kimi-k3", "bailingmoe3"],
  ...["wavtokenizer-dec", "(unknown)", "", "nothing of the kind"],
];
const tokenizers = [
  "llama",
  "gpt2",
  "bert",
  "t5",
  "rwkv",
  "plamo2",
  "none",
  "no_vocab",
  "whitespace",
  "hybriddna",
  "",
  "x",
];
const mostTensorTypes = 45;

export function mutate(original: Buffer, seed: number): Mutant {
  const random = seededRandom(seed);
  const below = (count: number) => Math.floor(random() * count);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const chance = (share: number) => random() < share;

  if (chance(0.06)) {
    const length = below(chance(0.5) ? original.length : 4096);
    return { bytes: Buffer.from(original.subarray(0, length)), what: `cut at ${length}` };
  }
  if (chance(0.08)) return { bytes: scribble(original, below), what: "bytes of the header" };

  const file = parseGguf(original);
  const architecture = String(file.entries.find(({ key }) => key === "general.architecture")?.value);
  const what: string[] = [];
  const count = chance(0.65) ? 1 : 1 + below(4);
  for (let i = 0; i < count; i++) what.push(pickMutation()());
  return { bytes: serialiseGguf(file), what: what.join("; ") };

  function pickMutation(): () => string {
    const dice = random();
    if (dice < 0.04) return ofHeader;
    if (dice < 0.42) return ofEntry;
    if (dice < 0.58) return ofNewEntry;
    if (dice < 0.64) return ofArchitecture;
    if (dice < 0.72) return ofVocabulary;
    if (dice < 0.96) return ofTensor;
    return ofWeights;
  }

  function ofHeader(): string {
    const count = BigInt(pick(hostileIntegers));
    switch (below(4)) {
      case 0:
        file.magic = pick(["GGML", "FUGG", "gguf", "\0\0\0\0"]);
        return `magic ${file.magic}`;
      case 1:
        file.version = Number(BigInt.asUintN(32, count));
        return `version ${file.version}`;
      case 2:
        file.claimedEntries = count;
        return `${count} entries`;
      default:
        file.claimedTensors = count;
        return `${count} tensors`;
    }
  }

  function hostile(type: number): Scalar {
    if (type === stringType) return hostileString();
    if (type === 6 || type === 12) return pick(hostileFloats);
    return pick(hostileIntegers);
  }

  function hostileString(): string {
    const kind = below(6);
    if (kind === 0) return "";
    if (kind === 1) return "\0".repeat(1 + below(8));
    if (kind === 2) return "x".repeat(1 + below(300_000));
    if (kind === 3) return pick(["%s%n%d", "../../../../x", "{% for %}{{", "tag", "yarn", "longrope", "none"]);
    if (kind === 4) return String.fromCharCode(...Array.from({ length: 1 + below(40) }, () => below(256)));
    return "\u00f0\u009f"; // the first half of a character
  }

  function ofEntry(): string {
    const entry = pick(file.entries);
    const { key } = entry;
    switch (below(10)) {
      case 0:
        file.entries.splice(file.entries.indexOf(entry), 1);
        return `no ${key}`;
      case 1:
        file.entries.push({ ...entry });
        return `${key} twice`;
      case 2:
        entry.key = hostileString().slice(0, 70_000);
        return `${key} has another name`;
      case 3:
        entry.type = below(15);
        if (entry.type === arrayType && !Array.isArray(entry.value)) {
          Object.assign(entry, { element: below(14), value: Array.from({ length: below(600) }, () => hostile(0)) });
        } else if (entry.type !== arrayType && Array.isArray(entry.value)) entry.value = hostile(entry.type);
        return `${key} of type ${entry.type}`;
      default:
        if (Array.isArray(entry.value)) return ofArray(entry, entry.value);
        if (typeof entry.value === "number" && chance(0.3)) {
          entry.value = pick([entry.value + 1, entry.value - 1, entry.value * 2, entry.value / 2]);
        } else entry.value = hostile(entry.type);
        return `${key} = ${short(entry.value)}`;
    }
  }

  function ofArray(entry: Entry, values: Scalar[]): string {
    const { key } = entry;
    switch (below(6)) {
      case 0:
        entry.claimed = BigInt(pick(hostileIntegers));
        return `${key} claims ${entry.claimed} values`;
      case 1:
        entry.element = below(15);
        return `${key} of elements ${entry.element}`;
      case 2:
        entry.value = values.slice(0, pick([0, 1, 2, 3, below(values.length + 1)]));
        return `${key} cut to ${entry.value.length}`;
      case 3:
        entry.value = [...values, ...values.slice(0, 1 + below(values.length || 1))];
        return `${key} grown to ${entry.value.length}`;
      case 4:
        entry.value = values
          .map(() => hostile(entry.element ?? 0))
          .map((v) => (typeof v === "string" ? v.slice(0, 64) : v));
        return `${key} all hostile`;
      default: {
        const copy = [...values];
        const changes = 1 + below(20);
        for (let i = 0; i < changes && copy.length > 0; i++) copy[below(copy.length)] = hostile(entry.element ?? 0);
        entry.value = copy;
        return `${changes} of ${key} hostile`;
      }
    }
  }

  function ofNewEntry(): string {
    const own = chance(0.6);
    const [name, usualType] = pick(own ? moreKeys : generalKeys);
    const key = own ? `${architecture}.${name}` : name;
    const type = chance(0.9) ? usualType : pick(Object.values(kinds));
    file.entries = file.entries.filter((entry) => entry.key !== key);
    if (chance(0.12)) {
      const value = Array.from({ length: pick([0, 1, 2, 4, 5, 12, 513]) }, () => hostile(type));
      file.entries.push({ key, type: arrayType, element: type, value });
      return `new list ${key} [${value.length}] of ${type}`;
    }
    const value = hostile(type);
    file.entries.push({ key, type, value });
    return `new ${key} = ${short(value)}`;
  }

  function ofArchitecture(): string {
    const other = pick(architectures);
    for (const entry of file.entries) {
      if (entry.key === "general.architecture") entry.value = other;
      if (entry.key.startsWith(`${architecture}.`)) entry.key = other + entry.key.slice(architecture.length);
    }
    return `architecture ${other}`;
  }

  function ofVocabulary(): string {
    const model = pick(tokenizers);
    for (const entry of file.entries) if (entry.key === "tokenizer.ggml.model") entry.value = model;
    if (chance(0.7) && !file.entries.some(({ key }) => key === "tokenizer.ggml.merges")) {
      const value = pick([["a b"], [], ["ab"], ["", " ", "  "]]);
      file.entries.push({ key: "tokenizer.ggml.merges", type: arrayType, element: stringType, value });
    }
    return `tokenizer ${model}`;
  }

  function ofTensor(): string {
    const tensor = pick(file.tensors);
    const { name } = tensor;
    switch (below(8)) {
      case 0:
        file.tensors.splice(file.tensors.indexOf(tensor), 1);
        return `no ${name}`;
      case 1:
        tensor.name = chance(0.5) ? pick(file.tensors).name : hostileString().slice(0, pick([8, 63, 64, 5000]));
        return `${name} has another name`;
      case 2: {
        const i = below(tensor.dimensions.length);
        tensor.dimensions[i] = BigInt(pick(hostileIntegers));
        fit(tensor);
        return `${name} of ${tensor.dimensions.join(" x ")}`;
      }
      case 3:
        tensor.dimensions = pick([
          [],
          [...tensor.dimensions].reverse(),
          [...tensor.dimensions, 1n, 1n, 1n].slice(0, 5),
        ]);
        return `${name} of ${tensor.dimensions.join(" x ")}`;
      case 4:
      case 5:
        tensor.type = chance(0.9) ? below(mostTensorTypes) : Number(BigInt.asUintN(32, BigInt(pick(hostileIntegers))));
        if (chance(0.8)) fit(tensor);
        return `${name} of type ${tensor.type}`;
      case 6:
        file.keepOffsets = true;
        tensor.offset = chance(0.5) ? BigInt(pick(hostileIntegers)) : tensor.offset + BigInt(pick([1, 31, 32, -32]));
        return `${name} at ${tensor.offset}`;
      default: {
        const other = pick(file.tensors);
        [tensor.name, other.name] = [other.name, tensor.name];
        return `${name} and ${tensor.name} swapped`;
      }
    }
  }

  function ofWeights(): string {
    const tensor = pick(file.tensors);
    const fill = pick([0, 0xff, 0x7f, 0x7c]);
    tensor.data = Buffer.alloc(tensor.data.length, fill);
    return `${tensor.name} filled with ${fill}`;
  }

  /** As many bytes as the type needs, where that is no more than a few MB. */
  function fit(tensor: { dimensions: bigint[]; type: number; data: Buffer }): void {
    const [elements, bytes] = blockOf[tensor.type] ?? [1, 4];
    const size = tensor.dimensions.reduce((product, n) => product * BigInt.asIntN(64, n), 1n);
    const needed = (size / BigInt(elements)) * BigInt(bytes);
    if (needed < 0n || needed > 8_000_000n) return;
    const data = Buffer.alloc(Number(needed), 0x3c);
    tensor.data.copy(data);
    tensor.data = data;
  }
}

/** Elements and bytes of one block of some of ggml's types, by number. */
const blockOf: Readonly<Record<number, readonly [number, number]>> = {
  ...{ 0: [1, 4], 1: [1, 2], 2: [32, 18], 3: [32, 20], 6: [32, 22], 7: [32, 24], 8: [32, 34], 9: [32, 36] },
  ...{ 10: [256, 84], 11: [256, 110], 12: [256, 144], 13: [256, 176], 14: [256, 210], 15: [256, 292] },
  ...{ 16: [256, 66], 17: [256, 74], 18: [256, 98], 19: [256, 50], 20: [32, 18], 21: [256, 110], 22: [256, 82] },
  ...{ 23: [256, 136], 24: [1, 1], 25: [1, 2], 26: [1, 4], 27: [1, 8], 28: [1, 8], 29: [256, 56], 30: [1, 2] },
  ...{ 34: [256, 54], 35: [256, 66], 39: [32, 17] },
};

function scribble(original: Buffer, below: (count: number) => number): Buffer {
  const bytes = Buffer.from(original);
  const within = Math.min(bytes.length, [64, 1024, 16_384][below(3)]!);
  for (let i = 1 + below(12); i > 0; i--) bytes[below(within)] = below(256);
  return bytes;
}

function short(value: Scalar | Scalar[]): string {
  return JSON.stringify(String(value)).slice(0, 40);
}
