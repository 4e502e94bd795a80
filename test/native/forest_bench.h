// A forest over the fake cache: every decode is checked for all that must hold after it, each row of logits against
// that of the same path computed alone.
#pragma once

#include <algorithm>

#include "backend/fake/fake_backend.h"
#include "harness.h"
#include "naive.h"
#include "tree/token_forest.h"

namespace thinktree {

struct ForestBench {
    explicit ForestBench(const FakeOptions & options)
        : probe(std::make_shared<FakeProbe>()),
          model(make_fake_model(options, probe)),
          context(model->make_context({}, [] { return false; })),
          forest(*context) {}

    static Batch batch(uint32_t rows = 64, uint32_t outputs = 64) {
        Batch empty;
        empty.max_rows = rows;
        empty.max_outputs = outputs;
        return empty;
    }

    // Decodes and commits or rolls back, then checks all that must hold after it.
    bool decode(const Batch & batch) {
        const bool ok = batch.rows.empty() || context->decode(batch.rows, {}) == DecodeStatus::ok;
        if (ok) {
            forest.commit(batch);
            committed += static_cast<int64_t>(batch.rows.size());
            for (size_t i = 0; i < batch.outputs.size(); ++i) check_row(batch.outputs[i], i);
        } else {
            forest.roll_back(batch);
        }
        check();
        return ok;
    }

    std::vector<Token> path(NodeId id, uint32_t upto) {
        std::vector<Token> tokens;
        if (forest[id].parent != no_node) tokens = path(forest[id].parent, forest[forest[id].parent].size());
        tokens.insert(tokens.end(), forest[id].tokens.begin(), forest[id].tokens.begin() + upto);
        return tokens;
    }

    void check_row(const Batch::Output & output, size_t index) {
        const float * row = context->logits(static_cast<int32_t>(index));
        CHECK(std::equal(row, row + model->n_vocab(), naive.row_after(path(output.node, output.index + 1)).begin()));
    }

    void check() {
        forest.check_integrity();
        CHECK_EQ(probe->violations.load(), 0);
        CHECK_EQ(forest.cells_used(), probe->cells_used.load());
    }

    // One node alone, over as many batches as it takes.
    Planned compute(NodeId id, uint64_t age = 1) {
        for (int turn = 0; turn < 1000; ++turn) {
            Batch next = batch();
            const Planned planned = forest.plan(id, forest[id].size(), age, next);
            if (planned == Planned::nothing_owed) return planned;
            if (next.rows.empty()) return planned;
            decode(next);
        }
        return Planned::no_room;
    }

    std::shared_ptr<FakeProbe> probe;
    std::shared_ptr<const Model> model;
    std::unique_ptr<Context> context;
    TokenForest forest;
    NaiveModel naive;
    int64_t committed = 0;
};

}  // namespace thinktree
