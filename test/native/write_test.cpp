// Checks steps that are given and not written: what comes after them, what they score, what they cost.
#include "scored.h"

namespace {

using namespace thinktree;

// A branch to which a solution is given is what the branch that wrote it is.
TEST(given_steps_are_scored_and_gone_on_from_as_if_they_had_been_written) {
    for (const auto & [reading, vocab] : all_readings) {
        for (uint64_t seed = 0; seed < 6; ++seed) {
            Driver driver(with_verifier(reading, vocab));
            NaiveModel naive;
            NaiveModel verifier({.vocab = vocab});
            const auto opened = driver.open("5*6=", seed);
            NaiveBranch alone = NaiveBranch::root(naive, "5*6=", seed);
            alone.extend(naive, 3, {});
            if (alone.finished || alone.steps.size() < 2) continue;
            for (const NaiveStep & step : alone.steps) driver.write(opened.root, step.text);
            const Ledger before = driver.ledger(opened.search);
            CHECK_EQ(before.generated_tokens, 0);
            CHECK_EQ(before.prompt_tokens, 0);  // nothing is decoded until somebody asks
            check_scores(driver.wait(driver.score(opened.root)), naive_scores(alone, verifier, "5*6=?", reading));
            // Its stream goes by positions, so that it goes on as if it had drawn what it was given.
            const Completion completion = driver.wait(driver.extend(opened.root, 1));
            NaiveBranch longer = alone;
            longer.extend(naive, 1, {});
            CHECK_EQ(alone.text() + text_of(completion), longer.text());
            check_scores(driver.wait(driver.score(opened.root)), naive_scores(longer, verifier, "5*6=?", reading));
            int64_t given = 0;
            for (const NaiveStep & step : alone.steps) given += static_cast<int64_t>(step.tokens.size());
            CHECK_EQ(driver.ledger(opened.search).prompt_tokens, 4 + given);
        }
    }
}

TEST(what_is_given_to_one_branch_is_not_given_to_its_siblings) {
    Driver driver(with_verifier());
    NaiveModel naive;
    const auto opened = driver.open("5*6=", 3);
    const auto branches = driver.fork(opened.root, 2);
    driver.write(branches[0], "12+3\n");
    const RequestId first = driver.extend(branches[0], 99), second = driver.extend(branches[1], 99);
    NaiveBranch alone = NaiveBranch::root(naive, "5*6=", 3).fork(1);
    alone.extend(naive, 99, {});
    CHECK(driver.wait(first).error == ErrorCode::none);
    CHECK_EQ(text_of(driver.wait(second)), alone.text());
    driver.write(branches[0] + 99, "12+3\n");  // of no branch: nothing happens
    driver.release(branches[0]);
    driver.write(branches[0], "12+3\n");
}

}  // namespace
