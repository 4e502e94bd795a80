// Checks verifiers of two models: where a solution's end is read, and that what goes wrong or is short in one of the
// two leaves the other, and every other step, sound.
#include "backend/vocabulary.h"
#include "scored.h"

namespace {

using namespace thinktree;

NaiveBranch given(const std::vector<std::string> & steps, bool ends) {
    NaiveModel naive;
    NaiveBranch alone = NaiveBranch::root(naive, "5*6=", 1);
    for (const std::string & text : steps) alone.steps.push_back({.text = text, .tokens = {}});
    alone.steps.back().last = ends;
    return alone;
}

TEST(a_solutions_last_step_is_read_up_to_the_end_of_the_solution) {
    const Reading reading = counted_reading();
    const std::vector<std::string> steps{"5+5\n", "12\n", "30\n"};
    for (const bool ends : {false, true}) {
        Driver driver(with_verifier(reading));
        NaiveModel verifier;
        const auto opened = driver.open("5*6=", 1);
        const NaiveBranch alone = given(steps, ends);
        for (const NaiveStep & step : alone.steps) driver.write(opened.root, step.text, step.last);
        check_scores(driver.wait(driver.score(opened.root)), naive_scores(alone, verifier, "5*6=?", reading));
        CHECK_EQ(driver.ledger(opened.search).verifier_tokens, naive_cost(alone, verifier.model(), reading));
        // A solution that is whole is not gone on with.
        CHECK(driver.wait(driver.extend(opened.root)).error == ErrorCode::none);
        CHECK_EQ(driver.ledger(opened.search).generated_tokens == 0, ends);
    }
}

TEST(a_step_that_ends_its_solution_while_it_is_written_is_its_last) {
    const Reading reading = counted_reading();
    Driver driver(with_verifier(reading));
    NaiveModel verifier;
    const auto opened = driver.open("5*6=", 11, [](OpenSearch & c) { c.rules.stop = {"+"}; });
    int ended = 0;
    for (const BranchId branch : driver.fork(opened.root, 8)) {
        const Completion written = driver.wait(driver.extend(branch, 99, true));
        if (written.reason != FinishReason::end || written.steps.empty()) continue;
        std::vector<std::string> steps;
        for (const StepResult & step : written.steps) steps.push_back(step.text);
        const bool stopped = !steps.back().ends_with('\n');  // else it was found to be the last only after its line
        ended += stopped;
        check_scores(driver.wait(driver.score(branch)),
                     naive_scores(given(steps, stopped), verifier, "5*6=?", reading));
    }
    CHECK(ended > 0);
}

// Solutions of one tree, each scored, where a fault or a lack is the reference's alone.
struct Outcome {
    int scored = 0, failed = 0;
    Ledger ledger;
};
Outcome score_many(const Driver::Setup & setup, ErrorCode expected) {
    Driver driver(setup);
    NaiveModel naive, verifier;
    Outcome outcome;
    const auto opened = driver.open("5*6=", 7);
    const NaiveBranch root = NaiveBranch::root(naive, "5*6=", 7);
    const auto branches = driver.fork(opened.root, 12);
    std::vector<RequestId> requests;
    for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 3, true));
    for (const RequestId request : requests) driver.wait(request);
    for (int attempt = 0; attempt < 2; ++attempt) {
        requests.clear();
        for (const BranchId branch : branches) requests.push_back(driver.score(branch));
        for (uint32_t i = 0; i < branches.size(); ++i) {
            const Completion completion = driver.wait(requests[i], 20);
            if (completion.error != ErrorCode::none) {
                CHECK(completion.error == expected);
                ++outcome.failed;
                continue;
            }
            NaiveBranch alone = root.fork(i);
            alone.extend(naive, 3, {});
            check_scores(completion, naive_scores(alone, verifier, "5*6=?", setup.reading));
            ++outcome.scored;
        }
    }
    outcome.ledger = driver.ledger(opened.search);
    return outcome;
}

TEST(a_reference_that_fails_fails_its_steps_alone) {
    for (const bool poisoned : {false, true}) {
        Driver::Setup setup = with_verifier(ratio_reading());
        setup.reference = other_opinion(setup.verifier);
        (poisoned ? setup.reference->poison_token : setup.reference->nan_after_token) = '7';
        const Outcome outcome = score_many(setup, poisoned ? ErrorCode::decode_failed : ErrorCode::bad_logits);
        CHECK(outcome.failed > 0);
        CHECK(outcome.scored > 0);
    }
}

TEST(a_reference_with_less_room_is_computed_again_and_says_the_same) {
    Driver::Setup setup = with_verifier(ratio_reading());
    setup.reference = other_opinion(setup.verifier);
    setup.reference->cells = setup.reference->positions = 64;
    setup.reference->sequences = 2;
    const Outcome tight = score_many(setup, ErrorCode::none);
    CHECK_EQ(tight.failed, 0);
    CHECK(tight.ledger.recomputed_tokens > 0);
    CHECK_EQ(tight.ledger.reference_tokens, tight.ledger.verifier_prompt_tokens + tight.ledger.verifier_tokens);

    setup.reference->positions = 16;  // what does not fit one of the two is not scored by the other alone
    const Outcome short_of_positions = score_many(setup, ErrorCode::context_exceeded);
    CHECK(short_of_positions.failed > 0);
}

TEST(a_search_that_is_closed_while_both_models_read_holds_nothing) {
    for (int64_t decodes = 0; decodes < 4; ++decodes) {
        Driver::Setup setup = with_verifier(counted_reading());
        setup.reference = other_opinion(setup.verifier);
        setup.reference->decode_time = std::chrono::milliseconds(2);
        Driver driver(setup);
        const auto opened = driver.open("5*6=", 7);
        for (const std::string text : {"5+5\n", "12\n", "30\n"}) driver.write(opened.root, text);
        const RequestId request = driver.score(opened.root);
        while (driver.reference_probe->decodes < decodes) {
            if (driver.answers().contains(request)) break;
            std::this_thread::yield();
        }
        driver.close_and_wait(opened.search);
        const ErrorCode error = driver.wait(request).error;
        CHECK(error == ErrorCode::none || error == ErrorCode::cancelled);
        driver.check_nothing_is_held();
    }
}

TEST(two_models_that_cannot_be_compared_are_refused) {
    const auto refused = [](Reading reading, int32_t vocab) {
        const auto generator = make_fake_model({});
        const auto lane = [](const FakeOptions & options) {
            const auto model = make_fake_model(options);
            return std::make_unique<Lane>(model, model->make_context({}, [] { return false; }));
        };
        try {
            const Verifier verifier(lane({}), lane({.vocab = vocab}), std::move(reading), *generator);
        } catch (const Error & error) {
            return error.code == ErrorCode::invalid_option;
        }
        return false;
    };
    CHECK(!refused(counted_reading(), FakeOptions{}.vocab));
    CHECK(refused(counted_reading(), 300));
    Reading special = counted_reading();
    special.next.before = "<tag>" + special.next.before;
    CHECK(refused(special, FakeOptions{}.vocab));
}

}  // namespace
