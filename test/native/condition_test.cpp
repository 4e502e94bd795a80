// Checks branches that go on from an attempt and words after it: their texts and scores are those of each path alone,
// the words cost one prefill, and lengths and positions are kept.
#include <random>

#include "scored.h"

namespace {

using namespace thinktree;

TEST(a_conditioned_branch_is_written_as_if_its_context_were_its_prompt) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("12+30=", 5);
    const BranchId attempt = driver.fork(opened.root, 1)[0];
    NaiveBranch alone = NaiveBranch::root(naive, "12+30=", 5).fork(0);
    CHECK(driver.wait(driver.extend(attempt, 99)).reason == FinishReason::end);
    alone.extend(naive, 99, {});
    int64_t drawn = alone.sampled();

    const BranchId context = driver.condition(attempt, "again: ");
    const NaiveBranch conditioned = alone.condition(0, "again: ");
    const auto branches = driver.fork(context, 6);
    const auto requests = driver.extend_together(branches, 99);
    std::vector<NaiveBranch> written;
    for (uint32_t i = 0; i < branches.size(); ++i) {
        NaiveBranch revised = conditioned.fork(i);
        revised.extend(naive, 99, {});
        const Completion completion = driver.wait(requests[i]);
        CHECK(completion.reason == FinishReason::end);
        CHECK_EQ(text_of(completion), revised.text());
        CHECK_EQ(completion.steps.size(), revised.steps.size());
        drawn += revised.sampled();
        written.push_back(revised);
    }
    const int64_t tokens = distinct_tokens(written);
    const Ledger ledger = driver.ledger(opened.search);
    CHECK_EQ(ledger.prompt_tokens, 6 + 7);  // once, for all its forks
    CHECK_EQ(ledger.generated_tokens + ledger.coalesced_tokens, drawn);
    CHECK_EQ(ledger.recomputed_tokens, 0);
    CHECK_EQ(ledger.tree_tokens_peak, tokens);
    CHECK_EQ(ledger.kv_cells_peak, tokens);
    CHECK_EQ(driver.probe->rows.load(), tokens);
    CHECK_EQ(ledger.flops, 2000.0 * static_cast<double>(tokens));
    // The attempt is finished still, and may be conditioned otherwise.
    CHECK(driver.wait(driver.extend(attempt)).reason == FinishReason::end);
    const Completion other = driver.wait(driver.extend(driver.condition(attempt, "or: "), 99));
    NaiveBranch otherwise = alone.condition(1, "or: ");
    otherwise.extend(naive, 99, {});
    CHECK_EQ(text_of(other), otherwise.text());
}

TEST(releasing_the_attempt_leaves_what_goes_on_from_it) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("release", 3);
    BranchId at = opened.root;
    NaiveBranch alone = NaiveBranch::root(naive, "release", 3);
    for (int link = 0; link < 5; ++link) {
        const Completion completion = driver.wait(driver.extend(at, 99));
        alone.extend(naive, 99, {});
        CHECK_EQ(text_of(completion), alone.text());
        const BranchId next = driver.condition(at, "no, ");
        alone = alone.condition(0, "no, ");
        driver.release(at);
        at = next;
    }
    CHECK_EQ(driver.ledger(opened.search).recomputed_tokens, 0);
    CHECK_EQ(driver.ledger(opened.search).prompt_tokens, 7 + 4 * 4);  // the fifth was never extended
}

// Trees of attempts, grown, conditioned, forked and scored in random order, each with its naive twin.
void grow_at_random(uint64_t seed, const Reading & reading, bool sees_context, bool tight) {
    Driver::Setup setup = with_verifier(reading);
    if (tight) {
        setup.generator.cells = setup.verifier.cells = 230;
        setup.generator.positions = setup.verifier.positions = 220;
        setup.generator.sequences = setup.verifier.sequences = 3;
        setup.generator.batch = setup.verifier.batch = 24;
    }
    Twins twins(setup, seed, sees_context);
    std::mt19937_64 random(seed);
    for (int i = 0; i < 80; ++i) {
        const size_t at = random() % twins.size();
        const auto dice = random() % 12;
        if (dice < 2 && twins.size() < 12) {
            twins.fork(at);
        } else if (dice < 4 && twins.size() < 12 && twins[at].attempts.size() < 3) {
            twins.condition(at, std::string(random() % 4 * 2, ':'));  // sometimes none
        } else if (dice < 8 && twins[at].steps.size() < 5 && twins[at].path.size() < 150) {
            const uint32_t steps = 1 + static_cast<uint32_t>(random() % 2);
            twins.extend(at, steps, random() % 3 == 0);
        } else if (dice < 9 && twins.size() > 2) {
            twins.release(at);
        } else {
            twins.score(at);
        }
    }
    twins.check_all_scores();
    const Ledger ledger = twins.ledger();
    const Driver & driver = twins.driver;
    const int64_t rows = driver.probe->rows + driver.verifier_probe->rows + driver.reference_probe->rows;
    CHECK_EQ(ledger.flops, 2000.0 * static_cast<double>(rows));
    // What is computed again from another state has cells of its own.
    CHECK(tight || fakes_fork_at_ends || ledger.kv_cells_peak <= ledger.tree_tokens_peak);
}

TEST(texts_and_scores_are_those_of_each_path_alone) {
    for (uint64_t seed = 0; seed < 48; ++seed) {
        grow_at_random(seed, all_readings[seed % std::size(all_readings)].reading, seed % 2 == 0, seed % 4 >= 2);
    }
}

// The verifier reads a solution after its own prompt, or after all that the generator has read; either way each of its
// tokens costs it one decode.
TEST(a_verifier_sees_the_context_only_if_it_is_to) {
    for (const bool sees_context : {false, true}) {
        for (const auto & [reading, vocab] : all_readings) {
            Driver driver(with_verifier(reading, vocab));
            NaiveModel naive;
            NaiveModel verifier({.vocab = vocab});
            const auto opened =
                driver.open("5*6=", 11, [&](OpenSearch & c) { c.verifier_sees_context = sees_context; });
            NaiveBranch alone = NaiveBranch::root(naive, "5*6=", 11);
            driver.wait(driver.extend(opened.root, 99));  // its steps are not scored before they are read
            alone.extend(naive, 99, {});
            const BranchId revision = driver.condition(opened.root, "hm, ");
            alone = alone.condition(0, "hm, ");
            driver.wait(driver.extend(revision, 99, true));
            alone.extend(naive, 99, {});
            const Completion completion = driver.wait(driver.score(revision));
            CHECK(!completion.scores.empty());
            check_scores(completion, naive_scores(alone, verifier, "5*6=?", reading, sees_context));

            NaiveBranch first = NaiveBranch::root(naive, "5*6=", 11);
            first.extend(naive, 99, {});
            // What follows the attempt needs its last token as well.
            const int64_t seen = naive_cost(first, verifier.model(), reading) + reads_no_end(reading);
            const Ledger ledger = driver.ledger(opened.search);
            CHECK_EQ(ledger.verifier_prompt_tokens, 5 + (sees_context ? 4 : 0));
            CHECK_EQ(ledger.verifier_tokens, naive_cost(alone, verifier.model(), reading) + (sees_context ? seen : 0));
            CHECK_EQ(ledger.recomputed_tokens, 0);
            // The attempt's own scores are what they would have been.
            const Completion attempt = driver.wait(driver.score(opened.root));
            check_scores(attempt, naive_scores(first, verifier, "5*6=?", reading, sees_context));
            CHECK_EQ(driver.ledger(opened.search).recomputed_tokens, 0);
        }
    }
}

TEST(a_length_is_that_of_one_solution) {
    Driver driver;
    const auto opened = driver.open("abc", 1, [&](OpenSearch & c) {
        c.max_length = 5;
        c.rules.delimiters = {};
    });
    BranchId at = opened.root;
    int as_long_as_may_be = 0;
    for (int link = 0; link < 8; ++link) {
        const Completion completion = driver.wait(driver.extend(at));
        CHECK(completion.reason == FinishReason::length || completion.reason == FinishReason::end);
        CHECK(text_of(completion).size() <= 5);
        as_long_as_may_be += completion.reason == FinishReason::length && text_of(completion).size() == 5;
        at = driver.condition(at, "a text that is longer than a solution may be");
    }
    CHECK(as_long_as_may_be > 2);
}

TEST(a_context_that_does_not_fit_is_a_length_and_is_not_decoded) {
    Driver::Setup setup = with_verifier();
    setup.generator.positions = setup.generator.cells = 24;
    for (const bool sees_context : {false, true}) {
        setup.verifier.positions = 14;
        Driver driver(setup);
        const auto opened = driver.open("0123456789", 1, [&](OpenSearch & c) {
            c.rules.delimiters = {};
            c.verifier_sees_context = sees_context;
        });
        for (const size_t size : {13u, 14u, 15u, 5000u}) {
            const BranchId branch = driver.condition(opened.root, std::string(size, '1'));
            const Completion completion = driver.wait(driver.extend(branch));
            CHECK(completion.reason == FinishReason::length);
            CHECK_EQ(text_of(completion).size(), size == 13 ? 1u : 0u);
            CHECK(driver.wait(driver.score(driver.fork(branch, 1)[0])).error ==
                  (size == 13 && sees_context ? ErrorCode::context_exceeded : ErrorCode::none));
            // What stands on a context that is too long is no better.
            CHECK(driver.wait(driver.extend(driver.condition(branch, "22"))).reason == FinishReason::length);
        }
        CHECK(driver.ledger(opened.search).prompt_tokens <= 23);
    }
}

// What a stop string cut off is no part of the attempt, though it was decoded.
TEST(a_stop_string_is_not_read_on) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("p", 1, [](OpenSearch & c) { c.rules.stop = {"+"}; });
    const Completion attempt = driver.wait(driver.extend(opened.root, 99));
    CHECK(attempt.reason == FinishReason::end);
    const Completion revised = driver.wait(driver.extend(driver.condition(opened.root, "so "), 1));
    NaiveBranch alone = NaiveBranch::root(naive, "p" + text_of(attempt) + "so ", 1);
    alone.key = fork_key(fork_key(1, 0), 0);
    alone.extend(naive, 99, {});
    const std::string expected = alone.text().substr(0, alone.text().find('+'));
    CHECK(!text_of(revised).empty() && expected.starts_with(text_of(revised)));
}

// An attempt that the stop string leaves no text of is nothing to the verifier, and what follows it still is.
TEST(a_context_after_an_empty_attempt_is_scored) {
    Driver driver(with_verifier({}, 300));
    NaiveModel verifier({.vocab = 300});
    const auto opened = driver.open("p", 1, [](OpenSearch & c) {
        c.verifier_sees_context = true;
        for (const char * digit : {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}) c.rules.stop.push_back(digit);
    });
    int empty = 0;
    for (const BranchId branch : driver.fork(opened.root, 8)) {
        const Completion attempt = driver.wait(driver.extend(branch, 9, true));
        empty += text_of(attempt).empty();
        const BranchId next = driver.condition(branch, "x");
        const Completion revised = driver.wait(driver.extend(next, 9));
        NaiveBranch alone = NaiveBranch::root(verifier, "p?" + text_of(attempt) + "x", 1);
        for (const StepResult & step : revised.steps) {
            alone.steps.push_back({step.text, verifier.model().tokenize(plain_text(step.text), false), 0, 0});
        }
        const Completion scored = driver.wait(driver.score(next));
        const std::vector<double> expected = alone.likelihoods(verifier, "p?" + text_of(attempt) + "x", false);
        CHECK_EQ(scored.scores.size(), expected.size());
        for (size_t i = 0; i < expected.size(); ++i) CHECK(same(scored.scores[i], expected[i]));
    }
    CHECK(empty > 0);
}

TEST(conditions_without_a_branch_are_answered_by_their_first_use) {
    Driver driver;
    const auto opened = driver.open("p", 1, [](OpenSearch & c) { c.rules.delimiters = {}; });
    CHECK(driver.wait(driver.extend(driver.condition(99999, "x"))).error == ErrorCode::unknown_branch);
    const RequestId running = driver.extend(opened.root);
    // Of a branch that is writing, like a fork: from where it stood, or from its end if it was faster.
    const Completion completion = driver.wait(driver.extend(driver.condition(opened.root, "x")));
    CHECK(completion.error == ErrorCode::none);
    CHECK(driver.wait(running).error == ErrorCode::none);
    const BranchId conditioned = driver.condition(opened.root, "y");
    driver.close_and_wait(opened.search);
    CHECK(driver.wait(driver.extend(conditioned)).error == ErrorCode::unknown_branch);
}

}  // namespace
