#include "backend/llama/host_rows.h"

#include "llama.h"

namespace thinktree {

HostRows::HostRows(llama_context * context, ggml_threadpool * pool, int threads, size_t n_vocab, size_t width)
    : context_(context),
      n_vocab_(n_vocab),
      width_(width),
      team_(pool, threads),
      reader_(static_cast<size_t>(threads)) {}

// A row is where llama.cpp has computed it if that is the host's memory, else, or in an unpatched one, a copy.
const float * HostRows::row(int32_t index) {
    return llama_get_logits_ith(context_, outputs_[static_cast<size_t>(index)]);
}

bool HostRows::read(std::span<const Ask> asks) {
    llama_synchronize(context_);
    rows_.clear();
    for (size_t i = 0; i < outputs_.size(); ++i) {
        OutputRow & found = rows_.emplace_back();
        found.logits = {row(static_cast<int32_t>(i)), n_vocab_};
        if (width_ > 0) found.hidden = {llama_get_embeddings_ith(context_, outputs_[i]), width_};
    }
    reader_.begin(asks, rows_);
    return team_.run([this](size_t thread) { reader_.work(thread); });
}

}  // namespace thinktree
