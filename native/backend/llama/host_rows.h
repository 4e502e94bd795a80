// Owns: reading rows of logits in the host's memory, by all threads of a decode. Must not know: GPUs.
// Thread: the scheduler thread.
#pragma once

#include <vector>

#include "backend/llama/output_rows.h"
#include "backend/llama/thread_team.h"

struct llama_context;

namespace thinktree {

class HostRows final : public OutputRows {
public:
    // The pool is the context's, with so many threads. `width`: of the hidden states that come with the logits; 0:
    // none.
    HostRows(llama_context * context, ggml_threadpool * pool, int threads, size_t n_vocab, size_t width);

    // Before what follows, after each decode: which of its batch's rows are outputs.
    void begin(std::span<const int32_t> outputs) { outputs_ = outputs; }

    bool read(std::span<const Ask> asks) override;
    std::span<const Answer> answers() const override { return reader_.answers(); }
    const float * row(int32_t index) override;

private:
    llama_context * context_;
    size_t n_vocab_, width_;
    ThreadTeam team_;
    RowReader reader_;
    std::span<const int32_t> outputs_;
    std::vector<OutputRow> rows_;
};

}  // namespace thinktree
