// A real recurrent model through the backend: its logits are those that its makers published, and a state that was
// copied where a step ends goes on like one that has read everything itself. THINKTREE_TEST_RECURRENT names the model,
// THINKTREE_TEST_RECURRENT_LOGITS its expected logits after the bytes `"in`; without them nothing is checked.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include "../native/harness.h"
#include "backend/llama/llama_backend.h"
#include "tree/token_forest.h"

namespace {

using namespace thinktree;

std::shared_ptr<const Model> recurrent_model() {
    const char * path = std::getenv("THINKTREE_TEST_RECURRENT");
    if (path != nullptr) return LlamaModels().load({path, 0});
    std::cout << "    skipped: no THINKTREE_TEST_RECURRENT" << std::endl;
    return nullptr;
}

std::unique_ptr<Context> context_of(const Model & model, int32_t cells) {
    ContextOptions options;
    options.cells = cells;
    return model.make_context(options, [] { return false; });
}

// The logits after the last of these tokens, read alone and in one go.
std::vector<float> logits_after(const Model & model, const std::vector<Token> & path) {
    const auto context = context_of(model, 1024);
    std::vector<BatchRow> rows;
    for (const Token token : path) rows.push_back({token, static_cast<Pos>(rows.size()), 0, false});
    rows.back().output = true;
    CHECK(context->decode(rows, {}) == DecodeStatus::ok);
    const float * row = context->logits(0);
    return {row, row + model.n_vocab()};
}

float largest_difference(const float * a, const float * b, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; ++i) most = std::max(most, std::isfinite(a[i]) ? std::abs(a[i] - b[i]) : INFINITY);
    return most;
}

TEST(a_recurrent_models_logits_are_the_published_ones) {
    const auto model = recurrent_model();
    const char * path = std::getenv("THINKTREE_TEST_RECURRENT_LOGITS");
    if (model == nullptr || path == nullptr) return;
    std::vector<float> expected(256);
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char *>(expected.data()), static_cast<std::streamsize>(expected.size() * sizeof(float)));
    CHECK(file.good());
    const std::vector<Token> tokens = model->tokenize(plain_text("\"in"), false);
    CHECK_EQ(tokens.size(), 3u);
    const std::vector<float> logits = logits_after(*model, tokens);
    CHECK_EQ(model->n_vocab(), 256);
    CHECK(largest_difference(logits.data(), expected.data(), 256) < 1e-5f);
}

// A tree over few sequences and many batches: every row is compared with that of its path read alone.
TEST(a_forest_of_states_computes_what_each_path_does_alone) {
    const auto model = recurrent_model();
    if (model == nullptr) return;
    for (const int32_t sequences : {1, 2, 5, 64}) {
        std::mt19937_64 random(static_cast<uint64_t>(sequences));
        const auto context = context_of(*model, sequences * 256);
        CHECK_EQ(context->limits().sequences, sequences);
        CHECK(context->limits().forks_at_ends);
        TreeUsage usage;
        TokenForest forest(*context);
        const auto tokens = [&](size_t n) {
            std::vector<Token> some(n);
            for (Token & token : some) token = static_cast<Token>(1 + random() % 200);
            return some;
        };
        std::vector<NodeId> nodes{forest.add_root(tokens(7), usage)};
        for (int i = 0; i < 40; ++i)
            nodes.push_back(forest.add_child(nodes[random() % nodes.size()], tokens(1 + random() % 4)));
        for (int turn = 0; turn < 60; ++turn) {
            Batch batch;
            batch.max_rows = 1 + static_cast<uint32_t>(random() % 60);
            batch.max_outputs = 40;
            for (int i = 0; i < 9; ++i) {
                const NodeId id = nodes[random() % nodes.size()];
                forest[id].want_last = true;
                forest[id].forks = random() % 2;
                if (forest.plan(id, forest[id].size(), 1 + random() % 9, batch) == Planned::nothing_owed)
                    forest.park_below(id);
                if (random() % 3 == 0) forest.settle(id);
            }
            if (batch.rows.empty()) continue;
            CHECK(context->decode(batch.rows, {}) == DecodeStatus::ok);
            forest.commit(batch);
            forest.check_integrity();
            for (size_t i = 0; i < batch.outputs.size(); ++i) {
                const std::vector<float> alone = logits_after(*model, forest.path(no_node, batch.outputs[i].node));
                const float * row = context->logits(static_cast<int32_t>(i));
                CHECK(largest_difference(row, alone.data(), alone.size()) < 1e-4f);
            }
            for (const NodeId id : nodes) forest.settle(id);
        }
        for (const NodeId id : nodes) forest.release(id);
        CHECK_EQ(forest.leases_held(), 0);
    }
}

}  // namespace
