// Checks the forest against the fake cache with few cells and few sequences: fixed cases first, then random
// operations. The fake reports every cell that is missing, double or another branch's, and each row of logits is
// compared with that of the same path computed alone.
#include "tree/token_forest.h"

#include <algorithm>
#include <map>
#include <random>

#include "forest_bench.h"

namespace {

using namespace thinktree;

FakeOptions small(int32_t cells, int32_t sequences) {
    FakeOptions options;
    options.cells = cells;
    options.sequences = sequences;
    return options;
}

TEST_OF_CELLS(forks_share_their_parents_cells) {
    ForestBench bench(small(100, 8));
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeId root = forest.add_root({1, 2, 3, 4, 5}, usage);
    CHECK(bench.compute(root) == Planned::nothing_owed);
    std::vector<NodeId> children;
    for (Token t = 0; t < 6; ++t) {
        children.push_back(forest.add_child(root, {t, 7}));
        CHECK(bench.compute(children.back()) == Planned::nothing_owed);
    }
    CHECK_EQ(forest.cells_used(), 5 + 6 * 2);
    CHECK_EQ(forest.leases_held(), 6);
    CHECK_EQ(bench.probe->rows.load(), 17);
    CHECK_EQ(usage.prompt_decoded, 5);
    CHECK_EQ(usage.decoded, 12);
    CHECK_EQ(usage.recomputed, 0);
    CHECK_EQ(usage.live, 17);
    for (const NodeId child : children) forest.release(child);
    CHECK_EQ(forest.cells_used(), 5);  // the last lease retreats to the root
    CHECK_EQ(forest.leases_held(), 1);
    forest.release(root);
    bench.check();
    CHECK_EQ(forest.cells_used() + forest.leases_held() + forest.nodes_alive(), 0);
    CHECK_EQ(usage.live + usage.cells, 0);
    CHECK_EQ(usage.cells_peak, 17);
}

TEST(a_parent_outlives_its_release_while_children_need_it) {
    ForestBench bench(small(50, 4));
    TreeUsage usage;
    const NodeId root = bench.forest.add_root({1, 2}, usage);
    const NodeId child = bench.forest.add_child(root, {3});
    bench.forest.release(root);
    CHECK(bench.compute(child) == Planned::nothing_owed);
    CHECK_EQ(bench.forest.nodes_alive(), 2);
    bench.forest.release(child);
    CHECK_EQ(bench.forest.nodes_alive(), 0);
    CHECK_EQ(bench.probe->cells_used.load(), 0);
}

TEST(the_older_takes_from_the_younger_and_never_the_other_way) {
    ForestBench bench(small(10, 4));
    TreeUsage usage;
    const NodeId old = bench.forest.add_root({1, 2, 3, 4, 5, 6}, usage);
    const NodeId young = bench.forest.add_root({9, 8, 7, 6, 5, 4}, usage);
    CHECK(bench.compute(young, 7) == Planned::nothing_owed);
    CHECK(bench.compute(old, 3) == Planned::nothing_owed);
    CHECK_EQ(bench.forest[young].computed, 0u);
    CHECK(bench.compute(young, 7) == Planned::no_room);
    CHECK_EQ(bench.forest[old].computed, 6u);
    bench.forest.settle(old);
    CHECK(bench.compute(young, 7) == Planned::nothing_owed);
    CHECK_EQ(usage.recomputed, 6);
}

// Else two operations on one tree could take turns with two on another for ever, none coming to its end.
TEST(what_an_older_began_and_a_younger_goes_on_with_stays_the_olders) {
    ForestBench bench(small(10, 1));
    TreeUsage usage;
    const NodeId shared = bench.forest.add_root({1, 2, 3, 4, 5, 6}, usage);
    const NodeId other = bench.forest.add_root({9, 8, 7, 6, 5, 4}, usage);
    Batch batch;
    const auto plan = [&](NodeId node, uint64_t age, uint32_t rows) {
        batch = {};
        batch.max_rows = batch.max_outputs = rows;
        const Planned planned = bench.forest.plan(node, bench.forest[node].size(), age, batch);
        bench.context->decode(batch.rows, {});
        bench.forest.commit(batch);
        return planned;
    };
    CHECK(plan(shared, 1, 2) == Planned::part);
    CHECK(plan(shared, 5, 2) == Planned::part);
    CHECK(plan(other, 3, 2) == Planned::no_room);
    CHECK_EQ(bench.forest[shared].computed, 4u);
    // A node below it is the younger's own.
    CHECK(plan(bench.forest.add_child(shared, {7}), 5, 8) == Planned::whole);
    CHECK(plan(other, 3, 2) == Planned::part);
    CHECK_EQ(bench.forest[shared].computed, 0u);
    CHECK(plan(shared, 1, 8) == Planned::whole);
}

// Eviction for a node under the root must leave the root's cells, which the node is about to use.
TEST_OF_CELLS(eviction_spares_the_path_of_the_node_it_is_for) {
    for (const int32_t sequences : {1, 2, 8}) {
        ForestBench bench(small(8, sequences));
        TreeUsage usage;
        const NodeId root = bench.forest.add_root({1, 2, 3, 4}, usage);
        const NodeId a = bench.forest.add_child(root, {5, 6, 7});
        const NodeId b = bench.forest.add_child(root, {5, 6, 8, 9});
        CHECK(bench.compute(a, 5) == Planned::nothing_owed);
        CHECK(bench.compute(b, 4) == Planned::nothing_owed);
        CHECK_EQ(usage.recomputed, 0);
        CHECK_EQ(usage.prompt_decoded, 4);
    }
}

TEST_OF_CELLS(parking_a_subtree_leaves_its_siblings) {
    ForestBench bench(small(40, 8));
    TreeUsage usage;
    const NodeId root = bench.forest.add_root({1, 2, 3}, usage);
    const NodeId a = bench.forest.add_child(root, {4});
    const NodeId b = bench.forest.add_child(a, {5, 6});
    const NodeId c = bench.forest.add_child(root, {7});
    for (const NodeId id : {b, c}) bench.compute(id);
    CHECK(bench.forest.park_below(a));
    bench.check();
    CHECK_EQ(bench.forest.cells_used(), 4);
    CHECK(bench.compute(b) == Planned::nothing_owed);
    CHECK_EQ(usage.recomputed, 3);
}

TEST(what_is_spare_takes_from_nobody_and_is_the_first_to_go) {
    ForestBench bench(small(7, 3));
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeId root = forest.add_root({1, 2}, usage);
    const auto child = [&](Token token, bool speculative) {
        const NodeId id = forest.add_child(root, {token, 7});
        forest[id].speculative = speculative;
        return id;
    };
    const NodeId step = child(3, false), other = child(4, false), ahead = child(5, true), late = child(6, true);
    bench.compute(step);
    bench.compute(ahead, spare);
    forest.settle(step);
    CHECK_EQ(forest[ahead].computed, 2u);
    CHECK_EQ(usage.begun, 2);
    CHECK(bench.compute(late, spare) == Planned::part || forest[late].computed <= 1);
    CHECK_EQ(forest[step].computed, 2u);  // though it is idle
    CHECK(!forest.take_contended());
    bench.compute(other, 9);
    CHECK_EQ(forest[other].computed, 2u);
    CHECK_EQ(forest[step].computed, 2u);
    CHECK(!forest.take_contended());
    // Kept, it is as good as any other, and it goes with its lease alone.
    CHECK_EQ(usage.begun_kept, 0);
    forest.keep(ahead);
    CHECK_EQ(usage.begun_kept, 2);
    for (const NodeId id : {ahead, late, other, step, root}) forest.release(id);
    CHECK_EQ(forest.cells_used() + forest.leases_held(), 0);
}

TEST_OF_CELLS(what_is_spare_leaves_a_step_its_own_cells) {
    ForestBench bench(small(100, 2));
    TokenForest & forest = bench.forest;
    TreeUsage usage;
    const NodeId step = forest.add_root({1, 2, 3}, usage);
    const NodeId ahead = forest.add_child(step, {4});
    forest[ahead].speculative = true;
    const NodeId stranger = forest.add_root({5}, usage);
    bench.compute(step);
    forest.settle(step);
    bench.compute(ahead, spare);
    CHECK_EQ(forest.leases_held(), 2);
    bench.compute(stranger, 9);
    CHECK_EQ(forest[ahead].computed, 0u);
    CHECK_EQ(forest[step].computed, 3u);
    // A lease that retreats to what is spare is spare again.
    forest.release(stranger);
    const NodeId further = forest.add_child(ahead, {6});
    forest[further].speculative = true;
    bench.compute(further, spare);
    forest.release(further);
    CHECK_EQ(forest[ahead].computed, 1u);
    const NodeId other = forest.add_root({7}, usage);
    bench.compute(other, 9);
    CHECK_EQ(forest[ahead].computed, 0u);
    CHECK_EQ(forest[step].computed, 3u);
    for (const NodeId id : {ahead, other, step}) forest.release(id);
}

// ---- random operations ----

struct Held {
    NodeId id;
    bool has_children;
};

class Storm {
public:
    Storm(uint64_t seed, const FakeOptions & options, bool aborts)
        : random_(seed), bench_(options), aborts_(aborts), faulty_(options.fail_every > 0) {}

    void run(int operations) {
        for (int i = 0; i < operations; ++i) {
            step();
            bench_.check();
        }
        oldest_always_gets_through();
        while (!held_.empty()) drop(pick());
        bench_.check();
        CHECK_EQ(bench_.forest.cells_used() + bench_.forest.leases_held() + bench_.forest.nodes_alive(), 0);
        int64_t decoded = 0;
        for (const TreeUsage & usage : usages_) {
            CHECK_EQ(usage.live + usage.cells, 0);
            decoded += usage.prompt_decoded + usage.decoded + usage.recomputed;
        }
        CHECK_EQ(decoded, bench_.committed);
    }

private:
    size_t pick() { return random_() % held_.size(); }
    std::vector<Token> tokens(size_t least, size_t most) {
        std::vector<Token> all(least + random_() % (most - least + 1));
        for (Token & t : all) t = static_cast<Token>('0' + random_() % 10);
        return all;
    }

    void drop(size_t index) {
        bench_.forest.release(held_[index].id);
        held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
    }

    void step() {
        TokenForest & forest = bench_.forest;
        const auto dice = random_() % 100;
        if (held_.empty() || (dice < 3 && held_.size() < 40)) {
            held_.push_back({forest.add_root(tokens(1, 9), usages_[random_() % usages_.size()]), false});
        } else if (dice < 20 && held_.size() < 40) {
            Held & parent = held_[pick()];
            // Nothing may stand below a node of no tokens: the verifier never puts anything there.
            if (forest[parent.id].size() == 0 || forest[parent.id].end() > 18) return;
            parent.has_children = true;
            const NodeId parent_id = parent.id;
            held_.push_back({forest.add_child(parent_id, tokens(0, 4)), false});
            forest[held_.back().id].speculative = random_() % 4 == 0;
            forest[parent_id].forks = held_.size() % 3 == 0;
        } else if (dice < 40) {
            const Held & held = held_[pick()];
            if (!held.has_children && forest[held.id].end() < 22) forest.append(held.id, '+');
        } else if (dice < 50) {
            drop(pick());
        } else if (dice < 55) {
            forest.settle(held_[pick()].id);
        } else if (dice < 58) {
            forest.park_below(held_[pick()].id);
        } else {
            turn();
        }
    }

    void turn() {
        Batch batch = bench_.batch(1 + static_cast<uint32_t>(random_() % 12), 1 + static_cast<uint32_t>(random_() % 6));
        const auto targets = 1 + random_() % 8;
        for (uint64_t i = 0; i < targets; ++i) {
            const NodeId id = held_[pick()].id;
            Node & node = bench_.forest[id];
            node.want_last = random_() % 2;
            node.want_inner = random_() % 4 == 0;
            const uint32_t upto = random_() % 3 ? node.size() : static_cast<uint32_t>(random_() % (node.size() + 1));
            bench_.forest.plan(id, upto, random_() % 6 ? 1 + random_() % 5 : spare, batch);
            if (random_() % 10 == 0) bench_.forest.park_below(held_[pick()].id);
        }
        if (aborts_ && random_() % 10 == 0) {  // no slot: nothing changed
            bench_.forest.roll_back(batch);
        } else {
            bench_.decode(batch);
        }
    }

    // Whatever claims have piled up, an operation older than all of them finishes.
    void oldest_always_gets_through() {
        for (const Held & held : held_) {
            bool done = false;
            for (int turn = 0; turn < 200 && !done; ++turn) {
                Batch batch = faulty_ ? bench_.batch() : bench_.batch(7, 2);
                done = bench_.forest.plan(held.id, bench_.forest[held.id].size(), 0, batch) == Planned::nothing_owed;
                bench_.decode(batch);
            }
            CHECK(done);
            bench_.forest.settle(held.id);
        }
    }

    std::mt19937_64 random_;
    ForestBench bench_;
    bool aborts_, faulty_;
    std::array<TreeUsage, 3> usages_;
    std::vector<Held> held_;
};

TEST(random_operations_keep_every_invariant) {
    for (uint64_t seed = 0; seed < 36; ++seed) {
        const std::array<int32_t, 4> cells{26, 40, 80, 400};
        const std::array<int32_t, 6> sequences{1, 2, 3, 5, 16, 64};
        Storm(seed, small(cells[seed % 4], sequences[seed % 6]), seed % 2).run(400);
    }
}

TEST(random_operations_keep_every_invariant_when_decodes_fail) {
    for (uint64_t seed = 100; seed < 124; ++seed) {
        FakeOptions options = small(seed % 2 ? 30 : 90, static_cast<int32_t>(1 + seed % 5));
        options.fail_every = 5;
        options.no_slot_every = 7;
        Storm(seed, options, true).run(400);
    }
}

TEST(without_pressure_nothing_is_computed_twice) {
    ForestBench bench(small(4000, 64));
    std::mt19937_64 random(9);
    TreeUsage usage;
    std::vector<NodeId> nodes{bench.forest.add_root({1, 2, 3}, usage)};
    int64_t distinct = 3;
    for (int i = 0; i < 120; ++i) {
        nodes.push_back(bench.forest.add_child(nodes[random() % nodes.size()], {'1', static_cast<Token>(i)}));
        distinct += 2;
        bench.compute(nodes.back(), random() % 9);
        bench.forest.settle(nodes.back());
    }
    CHECK_EQ(bench.probe->rows.load(), distinct + usage.recomputed);
    CHECK_EQ(usage.prompt_decoded + usage.decoded, distinct);
    // 64 leases cover at most 64 leaves; what is computed again was parked for that alone.
    for (size_t i = nodes.size(); i-- > 0;) bench.forest.release(nodes[i]);
    CHECK_EQ(bench.probe->cells_used.load(), 0);
}

}  // namespace
