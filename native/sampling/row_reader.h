// Owns: what can be asked of a decode's rows of logits, and answering it by several threads at once.
// Must not know: branches, models, where the rows come from, whose the threads are.
// Thread: the owner's; `work` on any of the reader's threads.
#pragma once

#include <atomic>
#include <limits>
#include <span>
#include <variant>
#include <vector>

#include "sampling/reward_head.h"
#include "sampling/sampler.h"

namespace thinktree {

// The next token.
struct Draw {
    SamplerOptions options;
    double uniform;
};
// Of a token that is known.
struct LogProbability {
    Token token;
};
// Of `a` against `b`.
struct PairProbability {
    Token a;
    Token b;
};
// Of the row's hidden state.
struct Reward {
    const RewardHead * head;
};

struct Ask {
    int32_t row;  // which of the decode's outputs
    std::variant<Draw, LogProbability, PairProbability, Reward> what;
};

// What a decode has computed after one token.
struct OutputRow {
    std::span<const float> logits;
    std::span<const float> hidden;  // the final state, after the output norm; empty unless it is asked for
};

struct Answer {
    Token token = -1;                                       // of a draw; -1: the row is broken
    float value = std::numeric_limits<float>::quiet_NaN();  // of a draw: the token's log-probability
};

// All of one row.
void answer(std::span<const Ask> asks, const OutputRow & row, Sampler & sampler, std::span<Answer> answers);

class RowReader {
public:
    explicit RowReader(size_t threads) : samplers_(threads) {}

    // Asks of one row that stand together cost one reading of it. All that is given stays as it is while there is work.
    void begin(std::span<const Ask> asks, std::span<const OutputRow> rows);
    // Takes one row after the other that no other thread has taken. Once by every thread; then all is answered.
    void work(size_t thread);

    std::span<const Answer> answers() const { return answers_; }

private:
    std::vector<Sampler> samplers_;  // one a thread
    std::span<const Ask> asks_;
    std::span<const OutputRow> rows_;
    std::vector<size_t> ends_;  // of the runs of asks of one row
    std::atomic<size_t> next_{0};
    std::vector<Answer> answers_;
};

}  // namespace thinktree
