#include "backend/llama/trial.h"

#include <exception>
#include <optional>
#include <string>

#include "backend/llama/assertions.h"
#include "backend/llama/context_params.h"
#include "backend/llama/handles.h"
#include "backend/llama/logging.h"
#include "backend/llama/memory.h"
#include "base/error.h"
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
std::optional<Trial> decode_one(llama_model * model, bool plans, std::string & why) {
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
    // Who reads a plan as a mask must not be given one.
    if (plans && !reads_plans(context.get())) return std::nullopt;
    if (llama_get_memory(context.get()) == nullptr) {
        throw Error(ErrorCode::unsupported_model, "not a decoder-only language model: it has no KV cache");
    }
    llama_attach_threadpool(context.get(), pool.get(), pool.get());
    llama_token token = 0;
    try {
        if (llama_decode(context.get(), llama_batch_get_one(&token, 1)) != 0) {
            why = log.first();
            return std::nullopt;
        }
    } catch (const std::exception & error) {
        why = error.what();
        return std::nullopt;
    }
    return Trial{plans, memory_of(context.get()).cache / smallest_cells};
}

}  // namespace

Trial try_model(llama_model * model) {
    const CatchAssertions catching;
    std::string why;
#ifdef THINKTREE_LLAMA_PATCHED
    // On GPUs ours has been run in an emulation alone: docs/decisions/0012.
    if (!llama_supports_gpu_offload()) {
        if (const std::optional<Trial> trial = decode_one(model, true, why)) return *trial;
    }
#endif
    if (const std::optional<Trial> trial = decode_one(model, false, why)) return *trial;
    throw Error(ErrorCode::model_load_failed, "the model cannot be computed: " + why);
}

}  // namespace thinktree
