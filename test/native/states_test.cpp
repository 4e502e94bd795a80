// Checks memory that forks at ends, as a recurrent model's: which states stay, what is computed again, that misuse is
// noticed; and that whatever else is tested of the fakes holds for them, too.
#include "backend/fake/fake_backend.h"

#include <exception>

#include "forest_bench.h"
#include "scheduler/generator.h"

namespace {

using namespace thinktree;

FakeOptions states(int32_t sequences, int32_t cells = 400) {
    FakeOptions options;
    options.cells = cells;
    options.sequences = sequences;
    options.forks_at_ends = true;
    return options;
}

TEST_OF_CELLS(all_that_holds_for_cells_holds_for_states) {
    if (harness::watches_threads) return;  // which meet alike over either kind of memory
    fakes_fork_at_ends = true;
    for (const harness::Test & test : harness::tests()) {
        if (test.of_cells) continue;
        const int before = harness::failures;
        try {
            test.run();
        } catch (const std::exception & error) {
            harness::fail(test.name, 0, std::string("threw ") + error.what());
        }
        if (harness::failures > before) std::cout << "    in " << test.name << ", with states" << std::endl;
    }
    fakes_fork_at_ends = false;
}

TEST_OF_CELLS(a_state_stays_where_others_will_go_on) {
    TreeUsage usage;
    ForestBench bench(states(8));
    TokenForest & forest = bench.forest;
    const NodeId root = forest.add_root({1, 2, 3, 4, 5}, usage);
    forest[root].forks = true;
    std::vector<NodeId> all{root};
    for (Token t = 0; t < 6; ++t) {
        all.push_back(forest.add_child(root, {t, 7}));
        CHECK(bench.compute(all.back()) == Planned::nothing_owed);
    }
    CHECK_EQ(usage.recomputed, 0);
    CHECK_EQ(forest.leases_held(), 7);
    CHECK_EQ(forest.cells_used(), 5 + 6 * 2);
    for (const NodeId id : all) forest.release(id);
    CHECK_EQ(forest.cells_used() + forest.leases_held(), 0);
    CHECK_EQ(usage.cells, 0);
}

TEST_OF_CELLS(the_last_child_takes_the_state_along) {
    TreeUsage usage;
    ForestBench bench(states(8));
    TokenForest & forest = bench.forest;
    const NodeId root = forest.add_root({1, 2, 3}, usage);
    const NodeId a = forest.add_child(root, {4}), b = forest.add_child(root, {5}), c = forest.add_child(root, {6});
    for (const NodeId id : {a, b, c}) bench.compute(id);
    CHECK_EQ(usage.recomputed, 0);
    CHECK_EQ(forest.leases_held(), 3);
    CHECK_EQ(forest[root].computed, 0u);
    // A path in one go: no state stays on the way.
    const NodeId d = forest.add_child(c, {7, 8});
    const NodeId e = forest.add_child(d, {9});
    Batch batch = bench.batch();
    CHECK(forest.plan(e, 1, 1, batch) == Planned::whole);
    CHECK(bench.decode(batch));
    CHECK_EQ(forest.leases_held(), 3);
    for (const NodeId id : {root, a, b, c, d, e}) forest.release(id);
}

TEST_OF_CELLS(a_state_that_has_gone_on_is_computed_again_from_the_nearest) {
    TreeUsage usage;
    ForestBench bench(states(8));
    TokenForest & forest = bench.forest;
    const NodeId root = forest.add_root({1, 2, 3, 4, 5}, usage);
    forest[root].forks = true;
    const NodeId a = forest.add_child(root, {6, 7});
    bench.compute(a);
    const NodeId b = forest.add_child(a, {8});
    bench.compute(b);
    CHECK_EQ(usage.recomputed, 0);
    const NodeId c = forest.add_child(a, {9});
    bench.compute(c);
    CHECK_EQ(usage.recomputed, 2);
    CHECK_EQ(forest[b].computed, 1u);  // what stands elsewhere is not concerned
    for (const NodeId id : {root, a, b, c}) forest.release(id);
}

TEST_OF_CELLS(who_has_a_state_needs_its_parents_no_more) {
    TreeUsage usage;
    ForestBench bench(states(2, 23));
    TokenForest & forest = bench.forest;
    const NodeId root = forest.add_root({1, 2, 3, 4, 5, 6, 7, 8}, usage);
    bench.compute(root);
    const NodeId child = forest.add_child(root, {11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
    Batch batch = bench.batch();
    forest.plan(child, 7, 1, batch);  // with the root's state
    CHECK(bench.decode(batch));
    forest[root].forks = true;
    bench.compute(root);
    forest.settle(root);
    CHECK_EQ(forest.cells_used(), 8 + 15);  // no cell is left
    CHECK(bench.compute(child) == Planned::nothing_owed);
    for (const NodeId id : {root, child}) forest.release(id);
}

TEST_OF_CELLS(states_nobody_waits_for_are_the_first_to_go) {
    TreeUsage usage;
    ForestBench bench(states(2));
    TokenForest & forest = bench.forest;
    const NodeId wanted = forest.add_root({1, 2}, usage), done = forest.add_root({3, 4}, usage);
    forest[wanted].forks = true;
    for (const NodeId id : {wanted, done}) {
        bench.compute(id);
        forest.settle(id);
    }
    const NodeId next = forest.add_root({5}, usage);
    bench.compute(next, 9);
    CHECK_EQ(forest[wanted].computed, 2u);  // though it was used longest ago
    CHECK_EQ(forest[done].computed, 0u);
    for (const NodeId id : {wanted, done, next}) forest.release(id);
}

TEST_OF_CELLS(one_sequence_is_enough) {
    TreeUsage usage;
    ForestBench bench(states(1));
    TokenForest & forest = bench.forest;
    const NodeId root = forest.add_root({1, 2, 3}, usage);
    forest[root].forks = true;
    const NodeId a = forest.add_child(root, {4, 5}), b = forest.add_child(root, {6});
    for (const NodeId id : {a, b, a}) {
        CHECK(bench.compute(id) == Planned::nothing_owed);
        forest.settle(id);
    }
    CHECK_EQ(usage.recomputed, 3 + 5);
    for (const NodeId id : {root, a, b}) forest.release(id);
}

TEST_OF_CELLS(after_a_failed_decode_no_state_is_used) {
    TreeUsage usage;
    FakeOptions options = states(8);
    options.fail_every = 3;
    ForestBench bench(options);
    TokenForest & forest = bench.forest;
    const NodeId a = forest.add_root({1, 2, 3}, usage), b = forest.add_root({4, 5}, usage);
    const NodeId c = forest.add_child(a, {6});
    bench.compute(a);
    bench.compute(b);
    Batch batch = bench.batch();
    forest.plan(c, 1, 1, batch);
    CHECK(!bench.decode(batch));
    CHECK_EQ(forest.leases_held(), 0);  // b was not in it
    CHECK(bench.compute(c) == Planned::nothing_owed);
    CHECK(bench.compute(b) == Planned::nothing_owed);
    for (const NodeId id : {a, b, c}) forest.release(id);
}

// What the tests of states rely on.
TEST_OF_CELLS(the_fake_notices_a_state_that_is_misused) {
    const auto violations = [](const auto & misuse, int32_t fail_every = 0) {
        const auto probe = std::make_shared<FakeProbe>();
        FakeOptions options = states(4);
        options.fail_every = fail_every;
        const auto context = make_fake_model(options, probe)->make_context({}, [] { return false; });
        const std::vector<BatchRow> rows{{'1', 0, 0, false}, {'2', 1, 0, true}};
        context->decode(rows, {});
        CHECK_EQ(probe->violations.load(), 0);
        misuse(*context);
        return probe->violations.load();
    };
    const std::vector<BatchRow> next{{'3', 2, 0, true}}, again{{'3', 1, 0, true}};
    CHECK_EQ(violations([&](Context & c) { c.decode(next, {}); }), 0);
    CHECK_EQ(violations([](Context & c) { c.seq_copy(0, 1, 0, 2); }), 0);
    CHECK_EQ(violations([](Context & c) { c.seq_remove(0, 0); }), 0);
    CHECK(violations([](Context & c) { c.seq_remove(0, 1); }) > 0);
    CHECK(violations([](Context & c) { c.seq_copy(0, 1, 0, 1); }) > 0);
    CHECK(violations([&](Context & c) { c.decode(again, {}); }) > 0);
    CHECK(violations([&](Context & c) { c.decode(next, {}), c.seq_copy(0, 1, 0, 2); }) > 0);
    const auto after_a_fault = [&](Context & c) { c.decode(next, {}), c.seq_copy(0, 1, 0, 2); };
    CHECK(violations(after_a_fault, 2) > 0);
}

TEST_OF_CELLS(a_model_that_cannot_take_a_guess_back_is_not_drafted) {
    const auto refused = [](bool generator, bool draft) {
        const auto lane = [](bool at_ends) {
            FakeOptions options;
            options.forks_at_ends = at_ends;
            const auto model = make_fake_model(options);
            return std::make_unique<Lane>(model, model->make_context({}, [] { return false; }));
        };
        auto generators = lane(generator);
        auto drafter = std::make_unique<Drafter>(lane(draft), DraftOptions{}, *generators->model);
        try {
            Generator(std::move(generators), std::move(drafter), {});
        } catch (const Error & error) {
            return error.code == ErrorCode::invalid_option;
        }
        return false;
    };
    CHECK(refused(true, false));
    CHECK(refused(false, true));
    CHECK(!refused(false, false));
}

}  // namespace
