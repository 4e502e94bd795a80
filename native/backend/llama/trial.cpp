#include "backend/llama/trial.h"

#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "backend/llama/adapters.h"
#include "backend/llama/assertions.h"
#include "backend/llama/context_params.h"
#include "backend/llama/handles.h"
#include "backend/llama/logging.h"
#include "backend/llama/memory.h"
#include "base/error.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "kernels/tree_plan.h"
// Not public, and so as it is in the pinned release.
#include "llama-ext.h"

namespace thinktree {

bool reads_plans(llama_context * context) {
    bool attention = false, others = false;
    ggml_cgraph * graph = llama_graph_reserve(context, 1, 1, 1);
    if (graph == nullptr) return false;
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        for (const ggml_tensor * source : node->src) {
            if (source == nullptr || source->op_params[0] != plan_magic || source->op != GGML_OP_NONE) continue;
            (node->op == GGML_OP_FLASH_ATTN_EXT ? attention : others) = true;
        }
    }
    return attention && !others;
}

namespace {

// None: the model cannot be computed in this way, for the reason in `why`.
std::optional<Trial> decode_one(llama_model * model, const Adapters & adapters, bool plans, std::string & why) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = smallest_cells;
    params.n_batch = 1;
    params.n_ubatch = 1;
    params.n_seq_max = 1;
    params.n_threads = params.n_threads_batch = 1;
    params.kv_unified = true;
    params.swa_full = true;
    params.no_perf = true;
    const LogErrors log;
    // Of our own, so that nothing of it is lost if an assertion fails while it is at work.
    ggml_threadpool_params pool_params = ggml_threadpool_params_default(1);
    const ThreadpoolPtr pool(ggml_threadpool_new(&pool_params));
    const ContextPtr context = open_context(model, params, plans);
    if (context == nullptr) {
        why = log.first();
        return std::nullopt;
    }
    if (llama_get_memory(context.get()) == nullptr) {
        throw Error(ErrorCode::unsupported_model, "not a decoder-only language model: it has no KV cache");
    }
    llama_attach_threadpool(context.get(), pool.get(), pool.get());
    llama_token token = 0;
    try {
        adapters.apply_to(context.get());
        adapters.assert_read(context.get());
        // Who reads a plan as a mask must not be given one.
        if (plans && !reads_plans(context.get())) return std::nullopt;
        if (llama_decode(context.get(), llama_batch_get_one(&token, 1)) != 0) {
            why = log.first();
            return std::nullopt;
        }
    } catch (const Error &) {
        throw;
    } catch (const std::exception & error) {
        why = error.what();
        return std::nullopt;
    }
    params.n_ctx = 2 * smallest_cells;
    const CacheBytes cache = cache_bytes(model, memory_of(context.get()).cache, [&] {
        const ContextPtr larger = open_context(model, params, plans);
        if (larger == nullptr) throw Error(ErrorCode::model_load_failed, log.first());
        return memory_of(larger.get()).cache;
    });
    return Trial{plans, false, cache};
}

// Another backend would take a plan for a mask, and read beyond its end.
bool gpus_know_plans() {
    for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        const auto type = ggml_backend_dev_type(device);
        if (type == GGML_BACKEND_DEVICE_TYPE_CPU || type == GGML_BACKEND_DEVICE_TYPE_ACCEL) continue;
#ifdef THINKTREE_CUDA_KERNELS
        if (std::string_view(ggml_backend_reg_name(ggml_backend_dev_backend_reg(device))) == "CUDA") continue;
#endif
        return false;
    }
    return true;
}

}  // namespace

bool gpus_read_plans(llama_model * model, const llama_context_params & wanted) {
    if (!gpus_know_plans()) return false;
    llama_context_params params = wanted;
    params.n_ctx = smallest_cells;
    params.n_seq_max = 1;  // states may be large
    params.abort_callback = nullptr;
    // Fused attention, which alone reads plans, stays on only if llama.cpp finds that every layer's runs on the layer's
    // own device: where a GPU has no kernel for such cells or heads, no plan is read.
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
    const ContextPtr context = open_context(model, params, true);
    return context != nullptr && reads_plans(context.get());
}

Trial try_model(llama_model * model, bool on_gpus, const Adapters & adapters) {
    const CatchAssertions catching;
    std::string why;
    std::optional<Trial> trial;
#ifdef THINKTREE_LLAMA_PATCHED
    if (!on_gpus || gpus_know_plans()) trial = decode_one(model, adapters, true, why);
#endif
    if (!trial) trial = decode_one(model, adapters, false, why);
    if (trial) {
        trial->on_gpus = on_gpus;
        return *trial;
    }
    throw Error(ErrorCode::model_load_failed, "the model cannot be computed" + adapters.in_words() + ": " + why);
}

}  // namespace thinktree
