// Tree plans list exactly what a mask would show, each cell once, for rows of any order.
#include <set>

#include "harness.h"
#include "kernels/kv_slots.h"
#include "random_cache.h"

using namespace thinktree;

namespace {

std::vector<int32_t> plan_of(const RandomCache & cache) {
    const auto cells = static_cast<int32_t>(cache.positions.size());
    std::vector<int32_t> words(static_cast<size_t>(plan_words(static_cast<int64_t>(cache.rows.size()), cells)));
    TreePlanner().plan(cache.positions.data(), cache.sequences.data(), cells, cache.rows, words.data(),
                       static_cast<int64_t>(words.size()));
    return words;
}

}  // namespace

TEST(tree_plan_lists_what_each_row_sees) {
    std::mt19937 random(1);
    for (int round = 0; round < harness::rounds(300); ++round) {
        RandomCache cache = random_cache(random, 600, 1 + static_cast<int32_t>(random() % 60), round % 2 == 0);
        std::shuffle(cache.rows.begin(), cache.rows.end(), random);
        const std::vector<int32_t> words = plan_of(cache);
        const PlanView plan(words.data());
        CHECK_EQ(plan.header().rows, static_cast<int32_t>(cache.rows.size()));
        std::vector<std::set<int32_t>> seen(cache.rows.size());
        for (const TreeSegment & s : plan) {
            CHECK(s.rows > 0 && s.cells > 0 && s.first_row >= 0 && s.first_row + s.rows <= plan.header().rows);
            for (int32_t r = 0; r < s.rows; ++r) {
                const int32_t count = s.first_count < 0 ? s.cells : plan.counts(s)[r];
                const auto row = static_cast<size_t>(plan.order()[s.first_row + r]);
                for (int32_t c = 0; c < count; ++c) CHECK(seen[row].insert(plan.cells(s)[c]).second);
            }
        }
        for (size_t r = 0; r < cache.rows.size(); ++r) {
            for (size_t c = 0; c < cache.positions.size(); ++c) {
                CHECK_EQ(seen[r].count(static_cast<int32_t>(c)) == 1, cache.sees(cache.rows[r], c));
            }
        }
    }
}

TEST(tree_plan_lists_a_shared_cell_once) {
    std::mt19937 random(2);
    for (int round = 0; round < harness::rounds(100); ++round) {
        const RandomCache cache = random_cache(random, 600, 40, false);
        const std::vector<int32_t> words = plan_of(cache);
        const PlanView plan(words.data());
        std::set<int32_t> listed;
        for (const TreeSegment & s : plan) {
            for (int32_t c = 0; c < s.cells; ++c) CHECK(listed.insert(plan.cells(s)[c]).second);
        }
        CHECK_EQ(static_cast<int32_t>(listed.size()), plan.header().cells);
    }
}

TEST(tree_plan_of_one_prompt_and_its_branches_has_a_segment_for_each) {
    RandomCache cache;
    Sequences all;
    for (size_t s = 0; s < 4; ++s) all.set(s);
    for (int32_t p = 0; p < 10; ++p) {
        cache.positions.push_back(p);
        cache.sequences.push_back(all);
    }
    for (int32_t s = 0; s < 4; ++s) {
        cache.positions.push_back(10);
        cache.sequences.push_back(Sequences().set(static_cast<size_t>(s)));
        cache.rows.push_back({s, 10});
    }
    const std::vector<int32_t> words = plan_of(cache);
    CHECK_EQ(PlanView(words.data()).header().segments, 5);
    CHECK_EQ(PlanView(words.data()).begin()->rows, 4);
    CHECK_EQ(PlanView(words.data()).begin()->first_count, -1);
}

TEST(tree_plan_too_large_for_its_place_is_refused) {
    std::mt19937 random(3);
    const RandomCache cache = random_cache(random, 300, 20, false);
    std::vector<int32_t> words(20);
    bool refused = false;
    try {
        TreePlanner().plan(cache.positions.data(), cache.sequences.data(), 300, cache.rows, words.data(), 20);
    } catch (const std::exception &) {
        refused = true;
    }
    CHECK(refused);
}

TEST(graphs_are_made_for_no_fewer_cells_than_are_used_and_seldom_anew) {
    std::set<uint32_t> sizes;
    for (uint32_t used = 1; used <= 262144; ++used) {
        const uint32_t cells = cells_of_graph(used);
        CHECK(cells >= used && (used < 2048 || cells <= used + used / 4));
        sizes.insert(cells);
    }
    CHECK(sizes.size() < 64);
}

TEST(slots_are_free_distinct_and_in_runs) {
    std::mt19937 random(4);
    for (int round = 0; round < harness::rounds(200); ++round) {
        const uint32_t size = 64 + static_cast<uint32_t>(random() % 500);
        const uint32_t sequences = 1 + static_cast<uint32_t>(random() % 16);
        std::vector<int32_t> positions(size, -1);
        std::vector<int64_t> last(sequences, -1);
        uint32_t used = 0;
        while (true) {
            std::vector<uint32_t> batch;
            for (uint32_t s = 0; s < sequences; ++s) batch.insert(batch.end(), 1 + random() % 2, s);
            const auto sequence = [&](uint32_t i) { return batch[i]; };
            const auto last_of = [&](uint32_t i) { return last[batch[i]]; };
            const auto n = static_cast<uint32_t>(batch.size());
            const auto slots = slots_in_runs(positions.data(), size, used % size, n, sequence, last_of);
            if (slots.empty()) {
                CHECK(size - used < n);  // it gives up only when there is no room
                break;
            }
            for (uint32_t i = 0; i < n; ++i) {
                CHECK(positions[slots[i]] < 0);
                positions[slots[i]] = 0;
                last[batch[i]] = slots[i];
            }
            used += n;
        }
    }
}

TEST(branches_that_take_turns_lie_in_runs) {
    std::vector<int32_t> positions(1024, -1);
    std::vector<int64_t> last(8, -1);
    for (int32_t step = 0; step < 64; ++step) {
        const auto slots = slots_in_runs(
            positions.data(), 1024, 0, 8, [](uint32_t i) { return i; }, [&](uint32_t i) { return last[i]; });
        for (uint32_t s = 0; s < 8; ++s) {
            if (step % static_cast<int32_t>(cells_per_run) != 0) CHECK_EQ(static_cast<int64_t>(slots[s]), last[s] + 1);
            positions[slots[s]] = step;
            last[s] = slots[s];
        }
    }
}
