// Checks the verifier's readings against the naive recomputation of each path alone, in whatever order steps are
// scored, and that each token costs the verifier one decode.
#include <random>

#include "scored.h"

namespace {

using namespace thinktree;

TEST(scores_equal_those_of_each_path_alone_and_cost_each_token_once) {
    for (const auto & [reading, vocab] : all_readings) {
        Driver driver(with_verifier(reading, vocab));
        NaiveModel naive;
        NaiveModel verifier({.vocab = vocab});
        const auto opened = driver.open("5*6=", 11);
        const NaiveBranch root = NaiveBranch::root(naive, "5*6=", 11);
        std::vector<RequestId> extends, scores;
        const auto branches = driver.fork(opened.root, 8);
        for (const BranchId branch : branches) extends.push_back(driver.extend(branch, 99, true));
        for (const RequestId request : extends) driver.wait(request);
        for (const BranchId branch : branches) scores.push_back(driver.score(branch));
        int64_t tokens = 0, probes = 0;
        for (uint32_t i = 0; i < branches.size(); ++i) {
            NaiveBranch alone = root.fork(i);
            alone.extend(naive, 99, {});
            check_scores(driver.wait(scores[i]), naive_scores(alone, verifier, "5*6=?", reading));
            tokens += naive_cost(alone, verifier.model(), reading);
            const auto probe = verifier.model().tokenize(template_text(reading.probe), false);
            probes += static_cast<int64_t>(probe.size() * alone.steps.size());
        }
        const Ledger ledger = driver.ledger(opened.search);
        CHECK_EQ(ledger.verifier_prompt_tokens, 5);
        CHECK_EQ(ledger.verifier_tokens, tokens);
        CHECK_EQ(ledger.recomputed_tokens, 0);
        CHECK(ledger.verifier_kv_cells_peak <= 5 + tokens && ledger.verifier_kv_cells_peak >= 5 + tokens - probes);
        CHECK_EQ(driver.verifier_probe->cells_used.load(), 5 + tokens - probes);
        CHECK_EQ(driver.verifier_probe->rows.load(), 5 + tokens);
        const bool compares = reading.kind == Reading::Kind::ratio;
        CHECK_EQ(ledger.reference_tokens, compares ? 5 + tokens : 0);
        CHECK_EQ(driver.reference_probe->rows.load(), ledger.reference_tokens);
        CHECK_EQ(driver.reference_probe->cells_used.load(), ledger.reference_tokens);
        for (const BranchId branch : branches) driver.wait(driver.score(branch));  // again: all known
        CHECK_EQ(driver.ledger(opened.search).verifier_tokens, tokens);
    }
}

// A tree grown and scored in random order: children before parents, siblings far apart, forks after scores, releases
// in between. Each branch has its naive twin.
TEST(scores_do_not_depend_on_the_order_of_asking) {
    for (uint64_t seed = 0; seed < 24; ++seed) {
        Driver::Setup setup = with_verifier(all_readings[seed % std::size(all_readings)].reading);
        const bool tight = seed % 4 == 3;  // so little room that scoring parks
        if (tight) {
            setup.verifier.cells = setup.verifier.positions = 90;
            setup.verifier.sequences = 3;
        }
        Twins twins(setup, seed);
        std::mt19937_64 random(seed);
        for (int i = 0; i < 60; ++i) {
            const size_t at = random() % twins.size();
            const auto dice = random() % 10;
            if (dice < 3 && twins.size() < 12) {
                twins.fork(at);
            } else if (dice < 6 && twins[at].steps.size() < 5) {
                const uint32_t steps = 1 + static_cast<uint32_t>(random() % 2);
                twins.extend(at, steps, random() % 3 == 0);
            } else if (dice < 7 && twins.size() > 2) {
                twins.release(at);
            } else {
                twins.score(at);
            }
        }
        twins.check_all_scores();
        const Ledger ledger = twins.ledger();
        CHECK(tight || twins.driver.verifier_probe->rows == ledger.verifier_tokens + ledger.verifier_prompt_tokens);
    }
}

TEST(an_unwritten_solution_has_no_scores) {
    Driver driver(with_verifier());
    const auto opened = driver.open("p", 1);
    const Completion completion = driver.wait(driver.score(opened.root));
    CHECK(completion.error == ErrorCode::none);
    CHECK(completion.scores.empty());
}

TEST(scoring_without_a_verifier_says_so) {
    Driver driver;
    const auto opened = driver.open("p", 1);
    CHECK(driver.wait(driver.score(opened.root)).error == ErrorCode::no_verifier);
    CHECK(driver.wait(driver.extend(opened.root, 1, true)).error == ErrorCode::no_verifier);
    CHECK(driver.wait(driver.extend(opened.root, 1)).error == ErrorCode::none);
}

// A step that the stop string leaves no text of has nothing to doubt when its text is tokenised again.
TEST(a_step_without_text_scores_1_under_another_vocabulary) {
    Driver driver(with_verifier({}, 300));
    const auto opened = driver.open("p", 1, [](OpenSearch & c) {
        for (const char * digit : {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "+"})
            c.rules.stop.push_back(digit);
    });
    const Completion extended = driver.wait(driver.extend(opened.root, 9, true));
    CHECK(extended.reason == FinishReason::end);
    const Completion completion = driver.wait(driver.score(opened.root));
    CHECK(completion.error == ErrorCode::none);
    CHECK_EQ(completion.scores.size(), extended.steps.size());
    for (size_t i = 0; i < completion.scores.size(); ++i) {
        CHECK(extended.steps[i].text.empty() ? completion.scores[i] == 1.0 : completion.scores[i] < 1.0);
    }
}

TEST(a_step_that_overflows_the_verifier_fails_alone) {
    Driver::Setup setup = with_verifier();
    setup.verifier.positions = 26;
    Driver driver(setup);
    const auto opened = driver.open("0123456789", 2);
    int overflowed = 0;
    for (const BranchId branch : driver.fork(opened.root, 8)) {
        const Completion extended = driver.wait(driver.extend(branch, 99, true));
        const Completion completion = driver.wait(driver.score(branch));
        size_t position = 11;  // the verifier's prompt has a "?" more
        for (size_t i = 0; i < extended.steps.size(); ++i) {
            position += extended.steps[i].text.size();
            CHECK_EQ(std::isnan(completion.scores[i]), position > 26);
        }
        CHECK_EQ(completion.error == ErrorCode::context_exceeded, position > 26);
        overflowed += position > 26 && extended.steps.size() > 1;
    }
    CHECK(overflowed > 0);
}

TEST(what_is_compared_are_single_tokens) {
    const auto model = make_fake_model({});
    CHECK_EQ(single_token(*model, "+"), '+');
    CHECK_EQ(single_token(*model, "<tag>"), fake_tag_token);
    bool refused = false;
    try {
        single_token(*model, "two");
    } catch (const Error & error) {
        refused = error.code == ErrorCode::invalid_option;
    }
    CHECK(refused);
}

}  // namespace
