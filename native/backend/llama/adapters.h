// Owns: LoRA adapters: from a file to what a context computes beside its model's weights. Nothing of a file reaches
// llama.cpp unchecked, and none of its weights is left out in silence.
// Must not know: whose they are. Thread: the one that loads models and makes contexts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/llama/gguf_file.h"
#include "backend/llama/llama_backend.h"

struct llama_adapter_lora;
struct llama_context;
struct llama_model;

namespace thinktree {

// What an adapter's file holds: with weights W it makes W + scale * alpha / rank * B * A, or W + scale * B * A if alpha
// is 0.
struct Lora {
    struct Pair {
        TensorShape a{}, b{};
        int64_t rank() const { return b[0]; }
    };
    std::map<std::string, Pair> pairs;  // by the name of the weights
    double alpha = 0;
};

// Throws Error (model_load_failed, unsupported_model).
Lora read_lora(const GgufFile & file);

// A context's own, on weights that others may use without them.
class Adapters {
public:
    Adapters() = default;
    // They are the model's, which frees them. `base`: the model's file.
    // Throws Error (model_load_failed, unsupported_model): which file, and what does not fit.
    Adapters(llama_model * model, const GgufFile & base, const std::vector<AdapterFile> & files);

    // Of those whose scale is not 0.
    bool change_anything() const;
    uint64_t n_params() const;
    uint64_t bytes() const;  // of all
    std::string in_words() const;

    void apply_to(llama_context * context) const;
    // To a context that has them: throws Error (unsupported_model) if its graph leaves some of their weights out.
    // Builds a graph.
    void assert_read(llama_context * context) const;

private:
    struct Loaded {
        AdapterFile file;
        llama_adapter_lora * adapter;
        std::vector<std::string> tensors;
        uint64_t n_params, bytes;
        bool changes_anything() const { return file.scale != 0; }
    };
    static Loaded load(llama_model * model, const GgufFile & base, const AdapterFile & file);

    std::vector<Loaded> loaded_;
};

}  // namespace thinktree
