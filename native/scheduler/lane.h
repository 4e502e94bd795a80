// Owns: one model's context and forest, and the decode of one batch from plan to commit.
// Must not know: what the rows are for. Thread: the scheduler thread.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>

#include "tree/token_forest.h"

namespace thinktree {

class Lane {
public:
    Lane(std::shared_ptr<const Model> model, std::unique_ptr<Context> context)
        : model(std::move(model)), context(std::move(context)), forest(*this->context) {}

    const std::shared_ptr<const Model> model;
    const std::unique_ptr<Context> context;
    TokenForest forest;

    // Empties the batch for a turn in which about `wanted` rows could be decoded and the first operation owes `owed`.
    // Branches go in equal shares of at most tree_rows, since 63 + 1 would cost twice what 32 + 32 does. A long span
    // (a prompt, a recomputed path) goes in one piece instead.
    void begin(size_t wanted, uint32_t owed);
    bool batch_is_long() const { return long_; }
    Batch & batch() { return batch_; }
    // What is read from the batch's outputs as soon as they are there.
    std::vector<Ask> & asks() { return asks_; }

    // `hidden`: hidden states come as well; every row of the batch must be an output, and nothing is asked.
    DecodeStatus decode(bool hidden = false);
    // After a good decode, in the order of the asks.
    std::span<const Answer> answers() const { return context->answers(); }

    // The logits after a node's last token, if they are kept or came with the last decode.
    const float * row_after(NodeId node);
    // Keeps the logits after the node's last token beyond the next decode.
    void keep_row(NodeId node);
    // As TokenForest::adopt, after the decode that the whole draft was in, each row an output: the logits go over too.
    void adopt(NodeId node, NodeId draft);

    // Tokens that `node` and its ancestors still owe.
    uint32_t owed(NodeId node) const;
    // Those of them that the batch in the making does not pay already; of `node` itself, `upto` tokens are asked for.
    uint32_t owed_beyond_batch(NodeId node, uint32_t upto) const;

    // Where operations take cells from each other, whoever goes first undoes what others have begun, and round robin
    // may come to no end. So the oldest stands first from then on until it is `served`.
    template <class Jobs>
    void oldest_first(Jobs & jobs) {
        if (forest.take_contended() && first_age_ == nobody) {
            for (const auto & job : jobs) first_age_ = std::min(first_age_, job->age);
        }
        if (first_age_ == nobody) return;
        const auto first =
            std::find_if(jobs.begin(), jobs.end(), [&](const auto & job) { return job->age == first_age_; });
        if (first == jobs.end()) {
            first_age_ = nobody;
        } else {
            std::rotate(jobs.begin(), first, first + 1);
        }
    }
    void served(uint64_t age) {
        if (first_age_ == age) first_age_ = nobody;
    }

    // An operation that begins now is younger than all others of this lane. 0 is the age of a suspect.
    uint64_t next_age() { return ++last_age_; }

private:
    Batch batch_;
    std::vector<Ask> asks_;
    bool long_ = false;
    uint64_t last_age_ = 0;
    static constexpr uint64_t nobody = std::numeric_limits<uint64_t>::max();
    uint64_t first_age_ = nobody;
};

}  // namespace thinktree
