// Checks drafts in the forest against the fake cache: what a text adopts is in the cache as if it had been decoded for
// it, what is released is gone, and nobody pays for a guess.
#include <algorithm>
#include <map>
#include <random>

#include "forest_bench.h"
#include "tree/node_ref.h"

namespace {

using namespace thinktree;

struct Bench : ForestBench {
    explicit Bench(int32_t cells, int32_t sequences = 8, int32_t fail_every = 0)
        : ForestBench({.cells = cells, .batch = 64, .sequences = sequences, .fail_every = fail_every}) {}

    // The node with its last token as an output, in a batch of its own.
    Batch batch_of(NodeId id, uint64_t age = 1, uint32_t rows = 64) {
        Batch next = batch(rows);
        forest[id].want_last = true;
        forest.plan(id, forest[id].size(), age, next);
        return next;
    }
    NodeRef draft(NodeId below, std::vector<Token> tokens) {
        NodeRef made(forest, forest.add_draft(below, std::move(tokens)));
        made->want_inner = made->want_last = true;
        return made;
    }
};

TEST_OF_CELLS(a_text_adopts_what_was_guessed_right_and_the_rest_is_free) {
    Bench bench(100);
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeRef text(forest, forest.add_root({1, 2, 3}, usage));
    Batch batch = bench.batch_of(text.id());
    {
        const NodeRef draft = bench.draft(text.id(), {4, 5, 6});
        CHECK(forest.plan_draft(draft.id(), batch));
        CHECK_EQ(batch.rows.size(), size_t{6});
        CHECK_EQ(batch.outputs.size(), size_t{4});
        CHECK(bench.decode(batch));
        for (const Token token : {4, 5}) {
            forest.append(text.id(), token);
            forest.adopt(text.id(), draft.id());
            bench.check();
        }
        CHECK_EQ(text->computed, 5u);
        CHECK_EQ(usage.cells, 6);
    }
    bench.check();
    CHECK_EQ(usage.cells, 5);
    CHECK_EQ(usage.cells_peak, 6);
    CHECK_EQ(usage.live_peak, 5);
    CHECK_EQ(usage.prompt_decoded, 3);
    CHECK_EQ(usage.drafted, 3);
    CHECK_EQ(usage.adopted, 2);
    CHECK_EQ(forest.leases_held(), 1);
    // The text goes on with the lease that has come back, and what it has adopted is not decoded again.
    forest.append(text.id(), 7);
    CHECK_EQ(bench.batch_of(text.id()).rows.size(), size_t{1});
}

// Two go on from one place; the one that was guessed takes the draft below its own first token.
TEST_OF_CELLS(a_new_child_adopts_as_well) {
    Bench bench(100);
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeRef prompt(forest, forest.add_root({1, 2, 3}, usage));
    Batch batch = bench.batch_of(prompt.id());
    NodeRef draft = bench.draft(prompt.id(), {4, 5});
    CHECK(forest.plan_draft(draft.id(), batch));
    CHECK(bench.decode(batch));
    const NodeRef other(forest, forest.add_child(prompt.id(), {9}));
    const NodeRef text(forest, forest.add_child(prompt.id(), {4}));
    forest.adopt(text.id(), draft.id());
    bench.check();
    forest.append(text.id(), 5);
    forest.adopt(text.id(), draft.id());
    CHECK(draft->tokens.empty());
    draft = {};
    bench.check();
    CHECK_EQ(text->computed, 2u);
    CHECK(bench.decode(bench.batch_of(other.id())));
    CHECK_EQ(bench.probe->rows.load(), 6);
    CHECK_EQ(usage.recomputed, 0);
}

// What was parked meanwhile is adopted as text that is owed.
TEST_OF_CELLS(a_draft_that_lost_its_cells_leaves_its_tokens) {
    Bench bench(100);
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeRef prompt(forest, forest.add_root({1, 2, 3}, usage));
    for (const bool lost_alone : {false, true}) {
        Batch batch = bench.batch_of(prompt.id());
        NodeRef draft = bench.draft(prompt.id(), {4, 5});
        if (batch.rows.empty()) {  // the prompt has its cells already, and the draft is planned as any node
            forest.plan(draft.id(), 2, 1, batch);
        } else {
            CHECK(forest.plan_draft(draft.id(), batch));
        }
        CHECK(bench.decode(batch));
        forest.park_below(lost_alone ? draft.id() : prompt.id());
        const NodeRef text(forest, forest.add_child(prompt.id(), {4}));
        forest.adopt(text.id(), draft.id());
        bench.check();
        CHECK_EQ(text->computed, 0u);
        draft = {};
        CHECK(bench.decode(bench.batch_of(text.id())));
    }
}

TEST_OF_CELLS(a_draft_takes_nothing_from_others) {
    Bench bench(10, 2);
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeRef idler(forest, forest.add_root({1, 2, 3, 4}, usage));
    CHECK(bench.decode(bench.batch_of(idler.id())));
    forest.settle(idler.id());
    const NodeRef text(forest, forest.add_root({5, 6, 7, 8}, usage));
    Batch batch = bench.batch_of(text.id());
    CHECK_EQ(forest.room(batch), 2u);
    {
        const NodeRef draft = bench.draft(text.id(), {9, 9, 9});
        CHECK(!forest.plan_draft(draft.id(), batch));
    }
    const NodeRef draft = bench.draft(text.id(), {9, 9});
    CHECK(forest.plan_draft(draft.id(), batch));
    CHECK(bench.decode(batch));
    CHECK_EQ(idler->computed, 4u);
    // Nor a row or an output that the batch has not.
    Batch full = Bench::batch(1);
    full.rows.push_back({});
    CHECK_EQ(forest.room(full), 0u);
    CHECK_EQ(forest.room(Bench::batch(9, 0)), 0u);
}

// A guess was wrong, and its text is under way all the same: younger ones wait.
TEST_OF_CELLS(the_lease_comes_back_with_its_claim) {
    Bench bench(8);
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeRef text(forest, forest.add_root({1, 2, 3, 4}, usage)),
        younger(forest, forest.add_root({5, 6, 7, 8, 9}, usage));
    Batch batch = bench.batch_of(text.id(), 3);
    {
        const NodeRef draft = bench.draft(text.id(), {9, 9});
        CHECK(forest.plan_draft(draft.id(), batch));
        CHECK(bench.decode(batch));
    }
    CHECK(bench.decode(bench.batch_of(younger.id(), 4)));  // as far as there is room
    CHECK_EQ(text->computed, 4u);
    CHECK_EQ(younger->computed, 4u);
    forest.settle(text.id());
    CHECK(bench.decode(bench.batch_of(younger.id(), 4)));
    CHECK_EQ(text->computed, 0u);
    CHECK_EQ(younger->computed, 5u);
}

// Texts that grow by drafts, part, end and are parked, under faults, with little room and with much.
TEST_OF_CELLS(random_drafts_keep_every_invariant) {
    for (uint64_t seed = 0; seed < harness::rounds(40); ++seed) {
        std::mt19937_64 random(seed);
        const auto below = [&](uint64_t n) { return random() % n; };
        const std::array<int32_t, 3> cells{30, 60, 400};
        Bench bench(cells[seed % 3], 1 + static_cast<int32_t>(below(12)), seed % 4 == 0 ? 6 : 0);
        TokenForest & forest = bench.forest;
        NaiveModel naive;
        TreeUsage usage;
        {
            std::vector<NodeRef> texts;
            std::vector<bool> parent;
            for (int turn = 0; turn < 250; ++turn) {
                if (texts.empty() || (below(12) == 0 && texts.size() < 20)) {
                    texts.emplace_back(forest, forest.add_root({'1', '2', static_cast<Token>('0' + below(10))}, usage));
                    parent.push_back(false);
                }
                const size_t i = below(texts.size());
                if (texts[i]->end() > 22 || below(20) == 0) {
                    texts.erase(texts.begin() + static_cast<std::ptrdiff_t>(i));
                    parent.erase(parent.begin() + static_cast<std::ptrdiff_t>(i));
                    bench.check();
                    continue;
                }
                if (below(15) == 0) forest.park_below(texts[i].id());
                if (below(15) == 0) forest.settle(texts[i].id());
                const NodeId text = texts[i].id();
                Batch batch = bench.batch_of(text, 1 + below(5), 1 + static_cast<uint32_t>(below(12)));
                std::vector<Token> guess(1 + below(5));
                for (Token & token : guess) token = static_cast<Token>('0' + below(3));
                NodeRef draft = bench.draft(text, guess);
                const bool drafted = forest.plan_draft(draft.id(), batch);
                if (!bench.decode(batch)) continue;
                for (size_t row = 0; row < batch.outputs.size(); ++row) {
                    const Batch::Output & output = batch.outputs[row];
                    std::vector<Token> path = forest.path(no_node, output.node);
                    path.resize(path.size() - forest[output.node].size() + output.index + 1);
                    const float * logits = bench.context->logits(static_cast<int32_t>(row));
                    const std::vector<float> & alone = naive.row_after(path);
                    CHECK(std::equal(alone.begin(), alone.end(), logits));
                }
                if (!drafted) continue;
                size_t right = below(guess.size() + 1);
                if (right == 0) continue;
                if (parent[i] || below(3) == 0) {  // somebody else stays here, or has gone on from here
                    parent[i] = true;
                    texts.emplace_back(forest, forest.add_child(text, {guess[0]}));
                    parent.push_back(false);
                    forest.adopt(texts.back().id(), draft.id());
                } else {
                    forest.append(text, guess[0]);
                    forest.adopt(text, draft.id());
                }
                const NodeId on = parent[i] ? texts.back().id() : text;
                for (size_t token = 1; token < right; ++token) {
                    forest.append(on, guess[token]);
                    forest.adopt(on, draft.id());
                    bench.check();
                }
                draft = {};
                bench.check();
                if (below(2)) continue;
                // What is drawn in the guess's place.
                if (!parent[i] || on != text) forest.append(on, '+');
                bench.check();
            }
        }
        bench.check();
        CHECK_EQ(forest.cells_used() + forest.leases_held() + forest.nodes_alive(), 0);
        CHECK_EQ(usage.live + usage.cells, 0);
        CHECK(usage.adopted > 0 && usage.adopted < usage.drafted);
        if (seed % 4 != 0) CHECK_EQ(usage.all_decoded(), bench.probe->rows.load());
    }
}

}  // namespace
