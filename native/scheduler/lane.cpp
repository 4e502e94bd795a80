#include "scheduler/lane.h"

#include <algorithm>
#include <exception>

namespace thinktree {

void Lane::begin(size_t wanted, uint32_t owed) {
    forest.forget_rows(batch_);
    batch_.rows.clear();
    batch_.spans.clear();
    batch_.outputs.clear();
    asks_.clear();
    const ContextLimits & limits = context->limits();
    const auto tree_rows = static_cast<uint32_t>(std::min(limits.tree_rows, limits.batch));
    const auto turns = std::max<uint32_t>(1, (static_cast<uint32_t>(wanted) + tree_rows - 1) / tree_rows);
    long_ = owed > tree_rows;
    const uint32_t share = (static_cast<uint32_t>(wanted) + turns - 1) / turns;
    batch_.max_rows = long_ ? static_cast<uint32_t>(limits.batch) : turns == 1 ? tree_rows : share;
    batch_.max_outputs = static_cast<uint32_t>(limits.outputs);
}

DecodeStatus Lane::decode(bool hidden) {
    DecodeStatus status = DecodeStatus::failed;
    try {
        status = hidden ? context->decode_hidden(batch_.rows) : context->decode(batch_.rows, asks_);
    } catch (const std::exception &) {
        // A backend that throws has failed; what it left behind is removed below.
    }
    if (status == DecodeStatus::ok) {
        forest.commit(batch_);
    } else {
        forest.roll_back(batch_);
        forest.forget_rows(batch_);
        batch_.outputs.clear();
    }
    return status;
}

const float * Lane::row_after(NodeId id) {
    const Node & node = forest[id];
    if (!node.kept_row.empty()) return node.kept_row.data();
    return node.row < 0 ? nullptr : context->logits(node.row);
}

void Lane::keep_row(NodeId id) {
    Node & node = forest[id];
    if (!node.kept_row.empty()) return;
    const float * row = row_after(id);
    if (row != nullptr) node.kept_row.assign(row, row + model->n_vocab());
}

void Lane::adopt(NodeId node, NodeId draft) {
    const int32_t row = forest[draft].row - static_cast<int32_t>(forest[draft].size()) + 1;
    forest.adopt(node, draft);
    forest[node].row = row;
    batch_.outputs[static_cast<size_t>(row)].node = node;
}

uint32_t Lane::owed(NodeId id) const {
    uint32_t tokens = 0;
    for (; id != no_node; id = forest.owing_above(id)) tokens += forest[id].size() - forest[id].computed;
    return tokens;
}

uint32_t Lane::owed_beyond_batch(NodeId id, uint32_t upto) const {
    uint32_t tokens = 0;
    while (id != no_node && forest[id].computed < upto) {
        if (forest[id].planned) break;  // it and what it owes above are in the batch, or wait for the next
        tokens += upto - forest[id].computed;
        id = forest.owing_above(id);
        if (id != no_node) upto = forest[id].size();
    }
    return tokens;
}

}  // namespace thinktree
