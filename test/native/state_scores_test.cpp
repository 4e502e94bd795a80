// Checks a reward head on the generator's own states: it says what the same model would say that reads each path alone,
// and costs no token where branches go on.
#include "scored.h"

namespace {

using namespace thinktree;

Driver::Setup random_own(std::mt19937_64 & random) {
    Driver::Setup setup = with_own_head();
    if (random() % 2) {
        setup.generator.cells = setup.generator.positions = 90;
        setup.generator.sequences = 1 + static_cast<int32_t>(random() % 4);
        setup.generator.batch = 8 + static_cast<int32_t>(random() % 40);
        setup.generator.tree_rows = 8;
    }
    if (random() % 4 == 0) setup.generator.fail_every = 7;
    if (random() % 3 == 0) {
        setup.drafting = DraftOptions{};
        setup.draft.stray_every = static_cast<int32_t>(random() % 4);
    }
    return setup;
}

TEST_OF_CELLS(own_states_score_what_each_path_alone_does_whoever_asks_and_when) {
    for (int seed = 0; seed < harness::rounds(400); ++seed) {
        std::mt19937_64 random(static_cast<uint64_t>(seed));
        Twins twins(random_own(random), static_cast<uint64_t>(seed));
        for (int i = 0; i < 24; ++i) {
            const size_t at = random() % twins.size();
            switch (random() % 8) {
                case 0:
                case 1:
                case 2: twins.extend(at, static_cast<uint32_t>(1 + random() % 3), random() % 2 == 0); break;
                case 3:
                case 4: twins.fork(at); break;
                case 5:
                    if (twins.size() > 1) twins.release(at);
                    break;
                case 6:
                    if (random() % 3 == 0) twins.condition(at, "no:");
                    break;
                default: twins.score(at);
            }
        }
        twins.check_all_scores();
    }
}

// What comes of these extends, one after the other, with scores and without.
struct Cost {
    int64_t rows;
    Ledger ledger;
    int64_t steps = 0;
    FinishReason reason{};
};
Cost cost_of(bool score, uint64_t seed, const std::vector<uint32_t> & extends, const std::string & final_prefix) {
    Driver driver(with_own_head());
    const auto opened = driver.open("grow", seed, [&](OpenSearch & c) {
        c.rules.delimiters = {"+"};
        c.rules.final_prefix = final_prefix;
    });
    Cost cost{};
    for (const uint32_t steps : extends) {
        const Completion completion = driver.wait(driver.extend(opened.root, steps, score));
        cost.steps += static_cast<int64_t>(completion.steps.size());
        cost.reason = completion.reason;
        if (!score) continue;
        const Completion scored = driver.wait(driver.score(opened.root));
        CHECK_EQ(static_cast<int64_t>(scored.scores.size()), cost.steps);
        for (const double one : scored.scores) CHECK(one > 0 && one < 1);
    }
    cost.ledger = driver.ledger(opened.search);
    cost.rows = driver.probe->rows;
    return cost;
}

// Without a prefix of last steps, a branch looks for the end token after its step, and so decodes the step's last one.
TEST_OF_CELLS(a_branch_that_goes_on_is_scored_without_a_row_more) {
    int64_t steps = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        for (const char * final_prefix : {"", "no step's"}) {
            for (const auto & extends : {std::vector<uint32_t>{99}, {1, 1, 1, 99}}) {
                const Cost with = cost_of(true, seed, extends, final_prefix);
                const Cost without = cost_of(false, seed, extends, final_prefix);
                steps += with.steps;
                CHECK_EQ(with.rows, without.rows);
                CHECK_EQ(with.ledger.recomputed_tokens, 0);
                CHECK_EQ(with.ledger.verifier_tokens + with.ledger.verifier_prompt_tokens, 0);
                CHECK(with.ledger.flops == without.ledger.flops);
            }
        }
    }
    CHECK(steps > 40);
}

TEST_OF_CELLS(a_step_that_nobody_goes_on_from_costs_the_token_it_ends_with) {
    bool goes_on = false;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const Cost with = cost_of(true, seed, {1}, "no step's"), without = cost_of(false, seed, {1}, "no step's");
        CHECK_EQ(with.rows, without.rows + (with.reason == FinishReason::step));
        goes_on = goes_on || with.reason == FinishReason::step;
        CHECK_EQ(cost_of(true, seed, {1}, "").rows, cost_of(false, seed, {1}, "").rows);
    }
    CHECK(goes_on);
}

TEST_OF_CELLS(steps_that_are_given_are_read_as_they_are_decoded) {
    Driver driver(with_own_head());
    const auto opened = driver.open("grow", 3);
    for (const char * step : {"1+2\n", "3\n", "4*5\n"}) driver.write(opened.root, step);
    CHECK_EQ(driver.wait(driver.score(opened.root)).scores.size(), 3u);
    CHECK_EQ(driver.probe->rows.load(), 4 + 4 + 2 + 4);
}

TEST_OF_CELLS(a_step_that_is_asked_about_late_is_decoded_once_more_by_itself) {
    Driver driver(with_own_head());
    const auto opened = driver.open("grow", 3, [](OpenSearch & c) { c.max_length = 30; });
    driver.write(opened.root, "12+3\n");
    const BranchId child = driver.fork(opened.root, 1)[0];
    driver.wait(driver.extend(child, 1));  // it reads what was written, and the row after that
    const int64_t before = driver.probe->rows;
    const Completion scored = driver.wait(driver.score(opened.root));
    CHECK_EQ(scored.scores.size(), 1u);
    CHECK(scored.scores[0] > 0 && scored.scores[0] < 1);
    CHECK(driver.probe->rows - before <= 5);
}

TEST_OF_CELLS(a_state_that_is_no_number_fails_the_step_alone) {
    Driver::Setup setup = with_own_head();
    setup.head = std::make_shared<RewardHead>(
        std::vector<RewardHead::Layer>{{fake_width, 1, std::vector<float>(fake_width, NAN), {0}}},
        RewardHead::Activation::sigmoid, std::vector<size_t>{0});
    Driver driver(setup);
    const auto opened = driver.open("grow", 1);
    CHECK(driver.wait(driver.extend(opened.root, 2, true)).error == ErrorCode::none);
    CHECK(driver.wait(driver.score(opened.root)).error == ErrorCode::bad_logits);
    CHECK(driver.wait(driver.extend(opened.root, 1)).error == ErrorCode::none);
}

}  // namespace
