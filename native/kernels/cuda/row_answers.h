// Owns: answers to what is asked of rows of logits on a CUDA device: the kernels' questions and results, the memory
// that they take, the copies. Must not know: whose rows they are, ggml. Thread: one at a time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sample_rows.h"
#include "sampling/row_reader.h"

namespace thinktree {

class RowAnswers {
public:
    RowAnswers() = default;
    RowAnswers(const RowAnswers &) = delete;
    ~RowAnswers();

    // Submits to the stream, which belongs to `device`, and waits for what comes back: two copies of some bytes an ask.
    // The answers are those that class Sampler and its neighbours would give, but for rounding. False after an error of
    // CUDA's; then there are none.
    bool read(const LogitRows & rows, std::span<const Ask> asks, int device, cudaStream_t stream);

    // In the order of the asks.
    std::span<const Answer> answers() const { return answers_; }

private:
    bool reserve(size_t bytes);
    void release();

    // Alike on both sides: first what is asked, by its kind, then what is answered.
    unsigned char * on_host_ = nullptr;  // locked, so that copies do not wait
    unsigned char * on_device_ = nullptr;
    size_t capacity_ = 0;
    std::vector<Answer> answers_;
};

}  // namespace thinktree
