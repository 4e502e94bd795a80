// Owns: what can be said of a model file without loading its weights.
// Must not know: what is good or bad about it. Thread: any; takes as long as reading the vocabulary.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/llama/adapters.h"
#include "backend/llama/gguf_file.h"
#include "backend/llama/memory.h"
#include "base/error.h"

namespace thinktree {

struct SpecialToken {
    std::string name;  // bos, eos, eot, ...: as in tokenizer.ggml.NAME_token_id
    int64_t id;
    std::string text;
};

// Of one type.
struct CacheMemory {
    CacheBytes bytes;
    MemoryUse use;  // with all cells
};

struct Inspection {
    explicit Inspection(const std::string & path) : file(path) {}

    GgufFile file;
    std::optional<Lora> lora;  // then it is no model
    std::vector<SpecialToken> special_tokens;
    bool template_renders = false;  // llama.cpp knows the chat template
    std::vector<Device> devices;
    // Why it cannot be loaded; else what it takes.
    std::optional<std::pair<ErrorCode, std::string>> refusal;
    bool tree_attention = false;
    int32_t cells = 0;   // that a search is measured with
    int32_t states = 0;  // that so many cells come with; 0: the model has none
    std::optional<CacheMemory> f16;
    std::optional<CacheMemory> q8_0;  // none where a head is no multiple of a block
};

// For a search whose texts take so many cells, written by so many branches at once: a model with states has more cells,
// if else there would not be a state for each branch and for where they part. Throws Error (model_load_failed) where it
// is not even a GGUF file.
Inspection inspect_model(const std::string & path, int32_t cells, int32_t branches);

}  // namespace thinktree
