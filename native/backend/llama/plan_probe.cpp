#include "backend/llama/plan_probe.h"

#include <exception>

#include "backend/llama/handles.h"
#include "ggml.h"
#include "kernels/tree_plan.h"
#include "llama.h"

namespace thinktree {

namespace {

struct Readers {
    bool attention = false;
    bool others = false;
};

// Called for every node of the graph before it is computed; true would ask for its result.
bool look_at(ggml_tensor * node, bool ask, void * found) {
    if (!ask) return true;
    auto & readers = *static_cast<Readers *>(found);
    for (const ggml_tensor * source : node->src) {
        if (source == nullptr || source->op_params[0] != plan_magic || source->op != GGML_OP_NONE) continue;
        (node->op == GGML_OP_FLASH_ATTN_EXT ? readers.attention : readers.others) = true;
    }
    return false;
}

}  // namespace

bool attention_reads_plans(llama_model * model) {
#ifdef THINKTREE_LLAMA_PATCHED
    // On GPUs ours has been run in an emulation alone: docs/decisions/0012.
    if (llama_supports_gpu_offload()) return false;
    Readers readers;
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_batch = 1;
    params.n_ubatch = 1;
    params.n_seq_max = 1;
    params.kv_unified = true;
    params.no_perf = true;
    params.cb_eval = look_at;
    params.cb_eval_user_data = &readers;
    const ContextPtr context = open_context(model, params, true);
    if (context == nullptr) return false;
    llama_token token = 0;
    int decoded = -1;
    try {
        decoded = llama_decode(context.get(), llama_batch_get_one(&token, 1));
    } catch (const std::exception &) {
        // A graph that cannot be computed with a plan.
    }
    return decoded == 0 && readers.attention && !readers.others;
#else
    (void)model;
    (void)look_at;
    return false;
#endif
}

}  // namespace thinktree
