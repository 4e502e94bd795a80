/** What a checkpoint is said to be: its family, its rotation, its head, its tokenizer; and what it is refused for. */
import { describe, expect, it } from "vitest";

import { backboneOf } from "../../lib/models/backbone.js";
import { kindOf } from "../../lib/models/heads.js";
import { configMetadata, modelConfig, ropeFactors } from "../../lib/models/model-config.js";
import type { StoredTensor } from "../../lib/models/safetensors.js";
import type { Tokenizer } from "../../lib/models/tokenizer-files.js";
import { vocabularyMetadata } from "../../lib/models/vocabulary.js";

const settings = {
  ...{ model_type: "llama", hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1 },
  ...{ intermediate_size: 16, max_position_embeddings: 4096, rms_norm_eps: 1e-5 },
};
const configOf = (others: object = {}) => modelConfig.parse({ ...settings, ...others });

function tensors(shapes: Readonly<Record<string, readonly number[]>>): Map<string, StoredTensor> {
  const read = () => Promise.reject(new Error("not to be read"));
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, { name, type: "F32", shape, bytes: 0, read }]));
}

describe("the head", () => {
  it("of ReasonEval is read in another place in the smaller model", () => {
    const head = tensors({ "score_head.weight": [3, 8] });
    expect(kindOf(["ReasonEval_7B"], head, 8, undefined).recipe).toBe("reasoneval-7b");
    expect(kindOf(["ReasonEval_34B"], head, 8, undefined).recipe).toBe("reasoneval-34b");
  });

  const kind = (shapes: Readonly<Record<string, readonly number[]>>, wanted?: Parameters<typeof kindOf>[3]) =>
    kindOf(["SomeModel"], tensors(shapes), 8, wanted);

  it.each<[string, Readonly<Record<string, readonly number[]>>, number]>([
    ["skywork-o1", { "v_head.summary.weight": [1, 8], "v_head.summary.bias": [1] }, 1],
    ["reasoneval-34b", { "score_head.weight": [3, 8] }, 1],
    [
      "qwen2.5-math-prm",
      { "score.0.weight": [8, 8], "score.0.bias": [8], "score.2.weight": [2, 8], "score.2.bias": [2] },
      2,
    ],
    ["orm", { "score.0.weight": [4, 8], "score.2.weight": [1, 4] }, 2],
    ["orm", { "score.weight": [1, 8] }, 1],
    ["trl", { "score.weight": [2, 8], "score.bias": [2] }, 1],
    ["trl", { "classifier.weight": [2, 8] }, 1],
  ])("of %s is known by its tensors", (recipe, shapes, layers) => {
    const found = kind(shapes);
    expect(found.recipe).toBe(recipe);
    expect(found.head?.layers).toHaveLength(layers);
  });

  it("is none where the recipe is named", () => {
    expect(kind({}, "rlhflow")).toEqual({ recipe: "rlhflow", head: undefined });
    expect(() => kind({})).toThrow(/name the recipe, one of math-shepherd, rlhflow, eurus-prm, genprm, thinkprm/);
    expect(() => kind({}, "trl")).toThrow(/recipe trl needs a head/);
    expect(() => kind({ "score.weight": [1, 8] }, "trl")).toThrow(/head is of recipe orm, not trl/);
  });

  it("of another kind is refused, and its tensors are told", () => {
    expect(() => kind({ "score.weight": [5, 8] })).toThrow(/SomeModel with tensors score\.weight with 5 outputs/);
    expect(() => kind({ "gate.weight": [1, 8], "score.weight": [1, 8] })).toThrow(/tensors gate\.weight$/);
    expect(() => kind({ "score.weight": [1, 9] })).toThrow(/does not take 8 numbers/);
    expect(() => kind({ "score.0.weight": [4, 8] })).toThrow(/no tensor score\.2\.weight/);
    expect(() => kind({ "score.weight": [2, 8], "score.bias": [3] })).toThrow(/does not take/);
  });
});

describe("the settings", () => {
  it("become llama.cpp's", () => {
    expect(configMetadata(configOf({ model_type: "qwen2", rope_theta: 1e6 }))).toMatchObject({
      "qwen2.context_length": { uint32: 4096 },
      "qwen2.attention.head_count_kv": { uint32: 1 },
      "qwen2.attention.key_length": { uint32: 4 },
      "qwen2.rope.freq_base": { float32: 1e6 },
    });
  });

  it("end a text where Mistral's window does", () => {
    const positions = (others: object) => configMetadata(configOf(others))["llama.context_length"];
    expect(positions({ model_type: "mistral", sliding_window: 512 })).toEqual({ uint32: 512 });
    expect(positions({ model_type: "mistral", sliding_window: null })).toEqual({ uint32: 4096 });
    const unused = configMetadata(configOf({ model_type: "qwen2", sliding_window: 512, use_sliding_window: false }));
    expect(unused["qwen2.context_length"]).toEqual({ uint32: 4096 });
  });

  it("scale the rotation as Llama 3 or in proportion, old spelling and new", () => {
    const llama3 = { rope_type: "llama3", factor: 8, original_max_position_embeddings: 8192 };
    // The wavelengths are 2 pi and 2 pi sqrt(500000); 8192 / 4 and 8192 are where the scaling begins and is whole.
    const factors = ropeFactors(configOf({ rope_theta: 500_000, rope_scaling: llama3 }))!;
    expect(factors[0]).toBe(1);
    expect(factors[1]).toBeCloseTo(1 / ((1 - (8192 / 4442.883 - 1) / 3) / 8 + (8192 / 4442.883 - 1) / 3), 4);
    expect(ropeFactors(configOf({ rope_parameters: { ...llama3, rope_theta: 500_000 } }))).toEqual(factors);
    expect(configMetadata(configOf({ rope_scaling: { type: "linear", factor: 4 } }))).toMatchObject({
      "llama.rope.scaling.type": "linear",
      "llama.rope.scaling.factor": { float32: 4 },
    });
    expect(ropeFactors(configOf())).toBeUndefined();
  });

  it.each<[string, object, RegExp]>([
    ["another family", { model_type: "gemma3" }, /model_type gemma3; known are qwen2, llama, mistral/],
    ["another activation", { hidden_act: "gelu" }, /hidden_act gelu/],
    ["another rotation", { rope_scaling: { rope_type: "yarn" } }, /rope scaling yarn/],
    ["heads of no size", { num_attention_heads: 3 }, /3 heads/],
  ])("are refused with %s", (_, others, message) => {
    expect(() => configMetadata(configOf(others))).toThrow(message);
  });
});

describe("the backbone", () => {
  const layer = (prefix: string) => ({
    ...{ [`${prefix}input_layernorm.weight`]: [8], [`${prefix}post_attention_layernorm.weight`]: [8] },
    ...{ [`${prefix}self_attn.q_proj.weight`]: [8, 8], [`${prefix}self_attn.k_proj.weight`]: [4, 8] },
    ...{ [`${prefix}self_attn.v_proj.weight`]: [4, 8], [`${prefix}self_attn.o_proj.weight`]: [8, 8] },
    ...{ [`${prefix}mlp.gate_proj.weight`]: [16, 8], [`${prefix}mlp.up_proj.weight`]: [16, 8] },
    ...{ [`${prefix}mlp.down_proj.weight`]: [8, 16] },
  });
  const shapes = (prefix: string) => ({
    ...{ [`${prefix}embed_tokens.weight`]: [5, 8], [`${prefix}norm.weight`]: [8], "lm_head.weight": [5, 8] },
    ...layer(`${prefix}layers.0.`),
  });

  it.each(["model.", "", "pretrained_model.model."])(
    "is found behind %j, and what is no part of it is told",
    (prefix) => {
      const others = { "score.weight": [1, 8], "model.layers.0.self_attn.rotary_emb.inv_freq": [2] };
      const found = backboneOf(configOf(), tensors({ ...shapes(prefix), ...others }), true);
      expect(found.parts.map(({ name }) => name)).toContain("output.weight");
      expect(found.vocabulary).toBe(5);
      expect([...found.rest.keys()]).toEqual(["score.weight"]);
    },
  );

  it("has no output matrix where that is the embeddings, or only a head reads it", () => {
    const names = (others: object, withOutput: boolean) => {
      const { parts, rest } = backboneOf(configOf(others), tensors(shapes("model.")), withOutput);
      expect(rest.size).toBe(0);
      return parts.map(({ name }) => name);
    };
    expect(names({ tie_word_embeddings: true }, true)).not.toContain("output.weight");
    expect(names({}, false)).not.toContain("output.weight");
  });

  it("is refused with a tensor missing or misshapen", () => {
    const { "model.norm.weight": norm, ...others } = shapes("model.");
    expect(norm).toBeDefined();
    expect(() => backboneOf(configOf(), tensors(others), true)).toThrow(/no tensor model\.norm\.weight/);
    expect(() => backboneOf(configOf(), tensors({ ...others, "model.norm.weight": [9] }), true)).toThrow(
      /\[9\], not \[8\]/,
    );
    const qwen = configOf({ model_type: "qwen2" });
    expect(() => backboneOf(qwen, tensors(shapes("model.")), true)).toThrow(/no tensor .*q_proj\.bias/);
    expect(() => backboneOf(configOf(), tensors({ "lora_A.weight": [8, 8] }), true)).toThrow(/LoRA.*import-lora/);
  });
});

describe("the tokenizer", () => {
  const json = {
    ...{ added_tokens: [{ id: 2, content: "<s>", special: true }], normalizer: null, post_processor: null },
    pre_tokenizer: null,
    model: {
      type: "BPE",
      vocab: { a: 0, b: 1, ab: 3 },
      merges: ["b a", ["a", "b"]],
      byte_fallback: true,
      unk_token: null,
    },
  };
  const metadata = (changes: object = {}, config: object = {}, size = 6) =>
    vocabularyMetadata(
      { json: { ...json, ...changes }, config, chatTemplate: "{{ x }}" } as unknown as Tokenizer,
      configOf({ bos_token_id: 2 }),
      size,
    );
  const model = (changes: object) => ({ model: { ...json.model, ...changes } });

  it("has a token for every embedding, with its type and its rank among merges", () => {
    expect(metadata()).toEqual({
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.pre": "default",
      "tokenizer.ggml.scores": Float32Array.of(-1e9, -1e9, 0, -1, 0, 0),
      "tokenizer.ggml.add_space_prefix": false,
      "tokenizer.ggml.tokens": ["a", "b", "<s>", "ab", "[PAD4]", "[PAD5]"],
      "tokenizer.ggml.token_type": Int32Array.of(1, 1, 3, 1, 5, 5),
      "tokenizer.ggml.bos_token_id": { uint32: 2 },
      "tokenizer.ggml.add_bos_token": false,
      "tokenizer.ggml.add_eos_token": false,
      "tokenizer.chat_template": "{{ x }}",
    });
  });

  it.each<[string, object, object, boolean]>([
    [
      "its post-processor",
      { post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: {} }, { Sequence: {} }] } },
      {},
      true,
    ],
    ["its settings", {}, { add_bos_token: true }, true],
    ["neither", {}, {}, false],
  ])("begins a text with the start token if %s says so", (_, changes, config, expected) => {
    expect(metadata(changes, config)["tokenizer.ggml.add_bos_token"]).toBe(expected);
  });

  it.each<[string, object, boolean]>([
    ["Prepend", { normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }] } }, true],
    ["Metaspace, first", { pre_tokenizer: { type: "Metaspace", prepend_scheme: "first" } }, true],
    ["Metaspace, never", { pre_tokenizer: { type: "Metaspace", prepend_scheme: "never" } }, false],
  ])("puts a space first by %s", (_, changes, expected) => {
    expect(metadata(changes)["tokenizer.ggml.add_space_prefix"]).toBe(expected);
  });

  it.each<[string, object, RegExp]>([
    ["another algorithm", model({ type: "Unigram" }), /model of type Unigram/],
    [
      "other words",
      { ...model({ byte_fallback: false }), pre_tokenizer: { type: "Split", pattern: { Regex: "x+" } } },
      /cut at x\+/,
    ],
    ["no words", model({ byte_fallback: false }), /cut at nothing/],
    ["a token without embedding", model({ vocab: { a: 6 } }), /token 6 \(a\) has no embedding: there are 6/],
    ["two texts of a token", model({ vocab: { a: 2 } }), /a and <s> are both token 2/],
    ["two tokens of a text", model({ vocab: { "<s>": 1 } }), /<s> is token 1 and token 2/],
    ["the text of padding", model({ vocab: { "[PAD5]": 1 } }), /\[PAD5\] is token 1/],
    ["an empty text", model({ vocab: { "": 1 } }), /token 1 has no text/],
  ])("is refused with %s", (_, changes, message) => {
    expect(() => metadata(changes)).toThrow(message);
  });
});
