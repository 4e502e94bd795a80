// Owns: tiny models with random weights, always the same, of architectures that remember a text in special ways:
// hybrids, sliding windows.
//
//   random_model ARCHITECTURE MODEL FILE     writes FILE, with MODEL's tokens and recipe
//
// An architecture is named as GGUF names it; "lfm2 window" is one whose attention has a sliding window. llama.cpp's
// own loaders say which tensors there are, and of which shapes. Must not know: what the models are for.
// Thread: the only one.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "gguf.h"
#include "llama.h"
// Not public, and so as it is in the pinned release: names and tensors of a loaded model.
#include "llama-model.h"

namespace {

constexpr uint32_t width = 64, heads = 2, layers = 4, feed_forward = 96;

struct Free {
    void operator()(gguf_context * context) const { gguf_free(context); }
    void operator()(llama_model * model) const { llama_model_free(model); }
};
using Gguf = std::unique_ptr<gguf_context, Free>;

// Hyper-parameters, by their keys without the architecture.
class Keys {
public:
    Keys(gguf_context * context, const std::string & architecture) : context_(context), prefix_(architecture + ".") {
        gguf_set_val_str(context, "general.architecture", architecture.c_str());
    }

    void set(const char * key, uint32_t value) { gguf_set_val_u32(context_, (prefix_ + key).c_str(), value); }
    void set(const char * key, float value) { gguf_set_val_f32(context_, (prefix_ + key).c_str(), value); }
    void set(const char * key, bool value) { gguf_set_val_bool(context_, (prefix_ + key).c_str(), value); }
    void set(const char * key, const std::vector<int32_t> & values) {
        gguf_set_arr_data(context_, (prefix_ + key).c_str(), GGUF_TYPE_INT32, values.data(), values.size());
    }

private:
    gguf_context * context_;
    std::string prefix_;
};

bool among(const std::string & name, const std::set<std::string> & names) { return names.contains(name); }

// Layers 1 and 3 have attention, where an architecture does not have it everywhere.
void set_shape(Keys & keys, const std::string & of, bool window) {
    keys.set("context_length", 1024u);
    keys.set("embedding_length", width);
    keys.set("block_count", layers);
    keys.set("feed_forward_length", feed_forward);
    keys.set("attention.head_count", heads);
    keys.set("attention.layer_norm_rms_epsilon", 1e-5f);
    keys.set("attention.layer_norm_epsilon", 1e-5f);
    keys.set("rope.freq_base", 10000.0f);
    if (among(of, {"falcon-h1", "qwen3next", "qwen35", "qwen35moe", "minimax-01", "gemma2"})) {
        keys.set("attention.head_count_kv", 1u);
        keys.set("full_attention_interval", 2u);
    } else if (of == "nemotron_h" || of == "nemotron_h_moe") {  // a layer does one thing
        keys.set("attention.head_count_kv", std::vector<int32_t>{0, 1, 0, 0});
        keys.set("feed_forward_length", std::vector<int32_t>{0, 0, feed_forward, 0});
    } else {
        keys.set("attention.head_count_kv", std::vector<int32_t>{0, 1, 0, 1});
    }
    if (window) keys.set("attention.sliding_window", 8u);

    keys.set("shortconv.l_cache", 3u);
    keys.set("ssm.conv_kernel", 4u);
    const bool delta_net = among(of, {"qwen3next", "qwen35", "qwen35moe"});
    keys.set("ssm.inner_size", delta_net ? 64u : 2 * width);
    keys.set("ssm.state_size", delta_net ? 32u : 16u);
    keys.set("ssm.time_step_rank", of == "jamba" ? 4u : 2u);
    keys.set("ssm.group_count", 1u);
    if (of == "qwen35" || of == "qwen35moe") {
        keys.set("rope.dimension_sections", std::vector<int32_t>{4, 4, 4, 4});
        keys.set("rope.dimension_count", 32u);
    }
    if (of == "minimax-01") keys.set("residual_scale", 1.0f);
    if (among(of, {"kimi-linear", "kimi-k3", "bailingmoe3"})) {
        keys.set("kda.safe_gate", true);
        keys.set("kda.gate_lower_bound", -5.0f);
        keys.set("attention.q_lora_rank", 32u);
        keys.set("attn_res.block_size", 12u);
        keys.set("activation.situ_beta", 4.0f);
        keys.set("activation.situ_linear_beta", 25.0f);
        keys.set("kda.head_dim", 32u);
        keys.set("attention.kv_lora_rank", 32u);
        keys.set("attention.key_length", 32u + 16u);
        keys.set("attention.value_length", 32u);
        keys.set("attention.key_length_mla", 32u + 16u);
        keys.set("attention.value_length_mla", 32u);
        keys.set("rope.dimension_count", 16u);
    }
    if (among(of, {"lfm2moe", "qwen3next", "qwen35moe", "minimax-01", "kimi-linear", "kimi-k3", "bailingmoe3",
                   "nemotron_h_moe"})) {
        keys.set("expert_count", 4u);
        keys.set("expert_used_count", 4u);  // all: which of two comes first in a near tie would be chance
        keys.set("expert_shared_count", 1u);
        keys.set("expert_feed_forward_length", 32u);
        keys.set("expert_shared_feed_forward_length", 32u);
        keys.set("expert_gating_func", 2u);  // sigmoid
        keys.set("leading_dense_block_count", 1u);
    }
}

bool has(const ggml_tensor * tensor, const char * part) {
    return std::string(tensor->name).find(part) != std::string::npos;
}

// So that logits are far from flat, and what a layer remembers counts.
void fill(ggml_tensor * tensor, void *) {
    const std::string name = tensor->name;
    std::mt19937 random(std::accumulate(name.begin(), name.end(), 1u,
                                        [](uint32_t sum, char c) { return sum * 31 + static_cast<unsigned char>(c); }));
    // std::uniform_real_distribution is another one in another library.
    const auto uniform = [&] { return static_cast<float>(random() % 65536) / 32768 - 1; };
    const bool decay = name.ends_with(".ssm_a");
    const bool matrix = ggml_n_dims(tensor) > 1 && !decay && !name.ends_with(".ssm_d");
    std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
    for (float & value : values) {
        value = uniform();
        if (decay) {
            value = -0.5f - 0.45f * value;  // a state fades, and not at once
        } else if (has(tensor, "norm") && !matrix) {
            value = 1 + 0.3f * value;
        } else if (has(tensor, "shortconv.in")) {
            value /= std::sqrt(static_cast<float>(tensor->ne[0]));  // three of its outputs are multiplied
        } else if (has(tensor, "token_embd")) {
            value *= 0.5f;
        } else if (!has(tensor, "conv")) {  // which has few inputs
            value *= matrix ? 2 / std::sqrt(static_cast<float>(tensor->ne[0])) : 0.3f;
        }
    }
    ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
}

void write(const std::string & name, const char * source, const char * file) {
    const bool window = name.ends_with(" window");
    const std::string architecture = name.substr(0, name.find(' '));
    const Gguf whole(gguf_init_empty()), from(gguf_init_from_file(source, {true, nullptr}));
    if (!from) throw std::runtime_error(std::string("cannot read ") + source);
    for (int64_t i = gguf_get_n_kv(from.get()); i-- > 0;) {
        const std::string key = gguf_get_key(from.get(), i);
        if (!key.starts_with("tokenizer.") && !key.starts_with("thinktree.")) gguf_remove_key(from.get(), key.c_str());
    }
    gguf_set_kv(whole.get(), from.get());
    Keys keys(whole.get(), architecture);
    set_shape(keys, architecture, window);

    llama_model_params params = llama_model_default_params();
    ggml_backend_dev_t no_devices[] = {nullptr};
    params.devices = no_devices;
    const std::unique_ptr<llama_model, Free> model(llama_model_init_from_user(whole.get(), fill, nullptr, params));
    if (!model) throw std::runtime_error("llama.cpp does not make such a model");
    std::set<std::string> written;
    for (const auto & [tensor_name, tensor] : llama_internal_get_tensor_map(model.get())) {
        if (tensor_name.ends_with("scale")) continue;  // of quants
        if (written.insert(tensor_name).second) gguf_add_tensor(whole.get(), tensor);
    }
    if (!gguf_write_to_file(whole.get(), file, false)) throw std::runtime_error(std::string("cannot write ") + file);
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 4) {
        std::cerr << "random_model ARCHITECTURE MODEL FILE" << std::endl;
        return 2;
    }
    llama_backend_init();
    try {
        write(argv[1], argv[2], argv[3]);
    } catch (const std::exception & error) {
        std::cerr << argv[1] << ": " << error.what() << std::endl;
        return 1;
    }
    return 0;
}
