// Owns: a random forest over little memory: branches fork, wait, are parked, pruned and computed again, decodes are
// broken off; every row is compared with that of its path read alone, in one go. Must not know: which model it is.
// Thread: the tests'.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "../native/harness.h"
#include "backend/backend.h"
#include "tree/token_forest.h"

namespace thinktree {

inline float largest_difference(const float * a, const float * b, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; ++i) most = std::max(most, std::isfinite(a[i]) ? std::abs(a[i] - b[i]) : INFINITY);
    return most;
}

// The logits after the last token of a path.
class ReadAlone {
public:
    explicit ReadAlone(const Model & model, bool stock_kernels = false) : model_(model) {
        ContextOptions options;
        options.cells = 1024;
        options.stock_kernels = stock_kernels;
        context_ = model.make_context(options, [] { return false; });
    }

    const std::vector<float> & after(const std::vector<Token> & path) {
        std::vector<float> & logits = known_[path];
        if (!logits.empty()) return logits;
        std::vector<BatchRow> rows;
        for (const Token token : path) rows.push_back({token, static_cast<Pos>(rows.size()), 0, false});
        rows.back().output = true;
        CHECK(context_->decode(rows, {}) == DecodeStatus::ok);
        const float * row = context_->logits(0);
        logits.assign(row, row + model_.n_vocab());
        context_->seq_remove(0, 0);
        return logits;
    }

    bool by_plans() const { return context_->limits().tree_attention; }

private:
    const Model & model_;
    std::unique_ptr<Context> context_;
    std::map<std::vector<Token>, std::vector<float>> known_;
};

struct ForestDeviation {
    float most = 0;    // between any row and that of its path read alone
    int64_t rows = 0;  // compared
    int64_t recomputed = 0;
};

class RandomForest {
public:
    RandomForest(const Model & model, int32_t cells, ReadAlone & alone)
        : random_(static_cast<uint64_t>(cells)), alone_(alone), n_vocab_(static_cast<size_t>(model.n_vocab())) {
        ContextOptions options;
        options.cells = cells;
        context_ = model.make_context(options, [this] { return breaks_off_; });
    }

    // `prompt`: tokens of each root.
    ForestDeviation grow(int turns, size_t prompt) {
        TokenForest forest(*context_);
        for (int i = 0; i < 2; ++i) nodes_.push_back(forest.add_root(tokens(prompt + below(5)), usage_));
        for (int turn = 0; turn < turns; ++turn) {
            prune(forest);
            while (nodes_.size() < 40) nodes_.push_back(forest.add_child(any(), tokens(1 + below(12))));
            decode(forest);
        }
        for (const NodeId id : nodes_) forest.release(id);
        CHECK_EQ(forest.leases_held(), 0);
        CHECK_EQ(forest.cells_used(), 0);
        found_.recomputed = usage_.recomputed;
        return found_;
    }

private:
    size_t below(size_t n) { return random_() % n; }
    NodeId any() { return nodes_[below(nodes_.size())]; }

    std::vector<Token> tokens(size_t n) {
        std::vector<Token> some(n);
        for (Token & token : some) token = static_cast<Token>(1 + below(200));
        return some;
    }

    // Not the roots: their prompts stay.
    void prune(TokenForest & forest) {
        for (size_t gone = below(4); gone > 0 && nodes_.size() > 2; --gone) {
            const size_t i = 2 + below(nodes_.size() - 2);
            forest.release(nodes_[i]);
            nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    void decode(TokenForest & forest) {
        Batch batch;
        batch.max_rows = 1 + static_cast<uint32_t>(below(200));
        batch.max_outputs = 40;
        for (int i = 0; i < 9; ++i) {
            const NodeId id = any();
            forest[id].want_last = true;
            forest[id].forks = below(2) == 0;
            if (forest.plan(id, forest[id].size(), 1 + below(9), batch) == Planned::nothing_owed) forest.park_below(id);
            if (below(3) == 0) forest.settle(id);
        }
        if (batch.rows.empty()) return;
        breaks_off_ = below(8) == 0;
        const DecodeStatus status = context_->decode(batch.rows, {});
        CHECK(status == (breaks_off_ ? DecodeStatus::aborted : DecodeStatus::ok));
        if (status == DecodeStatus::ok) {
            forest.commit(batch);
            compare(forest, batch);
        } else {
            forest.roll_back(batch);
        }
        forest.check_integrity();
        for (const NodeId id : nodes_) forest.settle(id);
    }

    void compare(const TokenForest & forest, const Batch & batch) {
        for (size_t i = 0; i < batch.outputs.size(); ++i) {
            const std::vector<float> & alone = alone_.after(forest.path(no_node, batch.outputs[i].node));
            const float * row = context_->logits(static_cast<int32_t>(i));
            found_.most = std::max(found_.most, largest_difference(row, alone.data(), n_vocab_));
            ++found_.rows;
        }
    }

    std::mt19937_64 random_;
    ReadAlone & alone_;
    const size_t n_vocab_;
    bool breaks_off_ = false;
    std::unique_ptr<Context> context_;
    TreeUsage usage_;
    std::vector<NodeId> nodes_;
    ForestDeviation found_;
};

}  // namespace thinktree
