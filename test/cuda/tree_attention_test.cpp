// Attention over trees by the CUDA kernel against the same in double precision.
#include "../native/harness.h"
#include "attention_case.h"
#include "runner.h"

using namespace thinktree;

namespace {

void check(const Shape & shape, const Forest & forest) {
    for (uint32_t seed = 0; seed < 2; ++seed) {
        const AttentionCase c(shape, forest, seed + 1);
        const double error = c.error_of(runner::attend(c, seed));
        if (!(error < 2e-3)) std::cout << "    relative error " << error << " with " << c.rows << " rows\n";
        CHECK(error < 2e-3);
    }
}

}  // namespace

TEST(attention_of_one_row) { check({64, 2, 2}, {.depth = 0, .cells_of_root = 300}); }

TEST(attention_of_one_row_to_one_cell) { check({128, 7, 1}, {.depth = 0, .cells_of_root = 1}); }

TEST(attention_of_a_prefix_with_branches) {
    for (const int head_size : {64, 128}) {
        for (const int shared_by : {1, 2, 7}) check({head_size, 2 * shared_by, 2}, {.fan = 16, .cells_of_root = 200});
    }
}

TEST(attention_of_long_branches) { check({64, 7, 1}, {.fan = 5, .cells_of_root = 100, .cells_at_most = 400}); }

TEST(attention_of_deep_trees) {
    check({64, 2, 1}, {.depth = 6, .fan = 2, .cells_of_root = 50, .cells_at_most = 9});
    check({128, 4, 2}, {.depth = 4, .fan = 3, .cells_of_root = 80, .cells_at_most = 30});
}

TEST(attention_of_many_questions) { check({64, 4, 2}, {.roots = 9, .fan = 7, .cells_of_root = 60}); }

TEST(attention_of_prompts_that_are_read_in) {
    check({64, 7, 1}, {.depth = 0, .cells_of_root = 1, .rows_of_leaf = 130});
    check({64, 2, 1}, {.fan = 3, .cells_of_root = 90, .rows_of_leaf = 40});
}

TEST(attention_of_rows_that_see_a_part_of_a_segment_in_no_order) {
    check({64, 2, 1}, {.fan = 90, .cells_of_root = 30, .cells_at_most = 5, .rows_within_root = true});
    check({64, 2, 1}, {.fan = 6, .cells_of_root = 300, .rows_within_root = true});
}

TEST(attention_of_256_rows) { check({64, 2, 1}, {.fan = 256, .cells_of_root = 128, .cells_at_most = 12}); }

// More of them than the scratch memory has room for one by one.
TEST(attention_to_very_many_segments) {
    check({64, 16, 1}, {.depth = 150, .fan = 2, .comb = true, .cells_of_root = 9, .cells_at_most = 2});
}

// The kernel refuses so many; layers of such a model may still be on the CPU, and the plan is cut for those on the GPU.
TEST(plans_are_cut_for_more_heads_than_an_item_takes) {
    const AttentionCase c({64, 71, 1}, Forest{}, 1);
    CHECK(PlanView(c.plan.data()).header().work_at > 0);
}

TEST(attention_with_softcap_and_sinks) {
    check({64, 4, 2, 20.0f, false}, {.fan = 9});
    check({128, 4, 2, 0.0f, true}, {.fan = 9});
    check({64, 14, 2, 5.0f, true}, {.fan = 20, .cells_at_most = 100});
}
