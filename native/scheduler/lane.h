// Owns: one model's context and forest, and the decode of one batch from plan to commit.
// Must not know: what the rows are for. Thread: the scheduler thread.
#pragma once

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

    DecodeStatus decode();

    // The logits after a node's last token, if they are kept or came with the last decode.
    const float * row_after(NodeId node);
    // The logits of the batch's `index`-th output.
    const float * output(size_t index) { return context->logits(static_cast<int32_t>(index)); }
    // Keeps the logits after the node's last token beyond the next decode.
    void keep_row(NodeId node);

    // Tokens that `node` and its ancestors still owe.
    uint32_t owed(NodeId node) const;

private:
    Batch batch_;
    bool long_ = false;
};

}  // namespace thinktree
