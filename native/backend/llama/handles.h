// Owns: llama.cpp's objects for as long as they are held, and how a context is told to attend by tree plans.
// Must not know: what they are used for. Thread: the one that makes contexts.
#pragma once

#include <memory>

#include "ggml-cpu.h"
#include "kernels/plan_attention.h"
#include "llama.h"

namespace thinktree {

template <auto Free>
struct Deleter {
    template <typename T>
    void operator()(T * object) const {
        Free(object);
    }
};
using ModelPtr = std::unique_ptr<llama_model, Deleter<llama_model_free>>;
using ContextPtr = std::unique_ptr<llama_context, Deleter<llama_free>>;
using SamplerPtr = std::unique_ptr<llama_sampler, Deleter<llama_sampler_free>>;
using ThreadpoolPtr = std::unique_ptr<ggml_threadpool, Deleter<ggml_threadpool_free>>;

// Null if llama.cpp has refused it. `plans`: as try_model found.
inline ContextPtr open_context(llama_model * model, const llama_context_params & params, bool plans) {
    plan_attention = plans;
    ContextPtr context(llama_init_from_model(model, params));
    plan_attention = false;
    return context;
}

}  // namespace thinktree
