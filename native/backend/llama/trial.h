// Owns: a first decode, which finds out what a model can do before anybody relies on it.
// Must not know: how attention is computed. Thread: the one that makes contexts.
#pragma once

#include "backend/llama/memory.h"

struct llama_context;
struct llama_model;
struct llama_context_params;

namespace thinktree {

class Adapters;

struct Trial {
    // Its attention reads a tree plan where llama.cpp would have it read a mask. Most models have one kind of
    // attention, which takes the mask and nothing else does; some also look at the mask themselves (an indexer, a
    // second attention): they must have a real one.
    bool reads_plans = false;
    // It may use GPUs: for some of its layers, or for its larger products.
    bool on_gpus = false;
    CacheBytes cache;  // of halves
};

// Whether the mask of this context, which was opened with `plans`, is read by its attention alone. Builds a graph.
bool reads_plans(llama_context * context);

// Decodes a token, on this thread alone: a failed assertion can be caught on the thread on which it fails.
// Throws Error (model_load_failed, unsupported_model).
Trial try_model(llama_model * model, bool on_gpus, const Adapters & adapters);

// Whether plans are read also where GPUs compute, in a context as `wanted` but for its size: of them only ours reads
// plans, and not of every kind of cache (kernels/cuda/ggml_tree_attention.h).
bool gpus_read_plans(llama_model * model, const llama_context_params & wanted);

}  // namespace thinktree
