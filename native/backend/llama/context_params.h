// Owns: the llama.cpp context that the engine works in. Must not know: who makes one. Thread: any.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/backend.h"
#include "llama.h"
#include "tree/seq_set.h"

namespace thinktree {

// At most this much memory for the logits of one decode: a 150k vocabulary has 600 KB a row.
constexpr int64_t logits_bytes = 160 << 20;
// llama.cpp rounds up to them.
constexpr int32_t smallest_cells = 256;

// A recurrent state is as large whatever it has read. So that one number says how much memory a model may take, of
// either kind or of both at once, there is a state for this many cells; the smallest cache has one.
constexpr int32_t cells_of_state = smallest_cells;

inline bool has_states(const llama_model * model) {
    return llama_model_is_recurrent(model) || llama_model_is_hybrid(model);
}

inline int32_t sequences_of(const llama_model * model, int32_t cells) {
    return has_states(model) ? std::clamp(cells / cells_of_state, 1, SeqSet::capacity) : SeqSet::capacity;
}

inline llama_context_params context_params(const llama_model * model, const ContextOptions & options) {
    const int64_t row_bytes = llama_vocab_n_tokens(llama_model_get_vocab(model)) * int64_t{sizeof(float)};
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(options.cells);
    params.n_batch = static_cast<uint32_t>(std::max(options.batch, SeqSet::capacity));
    params.n_ubatch = params.n_batch;
    params.n_seq_max = static_cast<uint32_t>(sequences_of(model, options.cells));
    params.n_outputs_max =
        static_cast<uint32_t>(std::clamp<int64_t>(logits_bytes / row_bytes, SeqSet::capacity, params.n_batch));
    params.type_k = params.type_v = options.cache == CacheType::q8_0 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
    params.kv_unified = true;  // forks tag cells instead of copying them
    params.swa_full = true;    // a window's cells are needed again when an older branch goes on
    params.no_perf = true;
    params.pooling_type = LLAMA_POOLING_TYPE_NONE;  // a hidden state is one token's
    params.embeddings = options.rewards;
#ifndef THINKTREE_LLAMA_PATCHED
    // Every row is an output then.
    if (options.rewards) params.n_batch = params.n_ubatch = params.n_outputs_max;
#endif
    return params;
}

}  // namespace thinktree
