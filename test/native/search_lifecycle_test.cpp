// Checks where searches end and what misuse is answered with: budgets, deadlines, lengths, prompts that do not fit,
// releases and closes at awkward moments. After each test nothing may be held (driver.h checks).
#include <random>

#include "driver.h"
#include "naive.h"

namespace {

using namespace thinktree;
using namespace std::chrono_literals;

Driver::Setup slow(std::chrono::microseconds time) {
    Driver::Setup setup;
    setup.generator.decode_time = setup.verifier.decode_time = time;
    setup.with_verifier = true;
    return setup;
}

TEST(a_token_budget_is_spent_exactly) {
    for (const uint32_t branches : {1u, 2u, 7u, 40u}) {
        for (const int64_t budget : {0, 1, 13, 60}) {
            Driver driver;
            const auto opened = driver.open("budget", 6, [&](OpenSearch & c) { c.token_budget = budget; });
            std::vector<RequestId> requests;
            for (const BranchId branch : driver.fork(opened.root, branches))
                requests.push_back(driver.extend(branch, 99));
            bool all_ended = true;
            int64_t written = 0;
            for (const RequestId request : requests) {
                const Completion completion = driver.wait(request);
                CHECK(completion.error == ErrorCode::none);
                CHECK(completion.reason == FinishReason::budget || completion.reason == FinishReason::end);
                all_ended = all_ended && completion.reason == FinishReason::end;
                for (const StepResult & step : completion.steps) written += step.tokens;
            }
            const Ledger ledger = driver.ledger(opened.search);
            CHECK(all_ended ? ledger.generated_tokens <= budget : ledger.generated_tokens == budget);
            const int64_t drawn = ledger.generated_tokens + ledger.coalesced_tokens;
            CHECK(written <= drawn && written >= drawn - branches);  // end tokens are in no step
            CHECK(all_ended || driver.wait(driver.extend(opened.root)).reason == FinishReason::budget);
        }
    }
}

TEST(lengths_end_a_solution) {
    Driver driver;
    for (const int64_t length : {0, 1, 5}) {
        const auto opened = driver.open("abc", 1, [&](OpenSearch & c) {
            c.max_length = length;
            c.rules.delimiters = {};
        });
        const Completion completion = driver.wait(driver.extend(opened.root));
        CHECK(completion.reason == FinishReason::length);
        CHECK_EQ(text_of(completion).size(), static_cast<size_t>(length));
        CHECK(driver.wait(driver.extend(opened.root)).reason == FinishReason::length);
    }
}

TEST(positions_end_a_solution_and_refuse_a_prompt) {
    Driver::Setup setup;
    setup.generator.positions = setup.generator.cells = 24;
    Driver driver(setup);
    for (const size_t size : {20u, 22u, 23u}) {
        const auto opened = driver.open(std::string(size, '1'), 1, [](OpenSearch & c) { c.rules.delimiters = {}; });
        const Completion completion = driver.wait(driver.extend(opened.root));
        CHECK(completion.reason == FinishReason::length);
        CHECK_EQ(text_of(completion).size(), 24 - size);
        driver.close_and_wait(opened.search);
    }
    for (const size_t size : {24u, 25u, 5000u}) {
        CHECK(driver.wait(driver.open(std::string(size, '1'), 1).request).error == ErrorCode::context_exceeded);
    }
    for (const char * prompt : {"", " ", "\n \t\r\n"}) {
        CHECK(driver.wait(driver.open(prompt, 1).request).error == ErrorCode::empty_prompt);
    }
    // A prompt that only the verifier refuses opens nothing.
    Driver::Setup with_verifier;
    with_verifier.with_verifier = true;
    with_verifier.verifier.positions = 4;
    Driver second(with_verifier);
    const auto refused = second.open("12345", 1);
    CHECK(second.wait(refused.request).error == ErrorCode::context_exceeded);
    CHECK(second.wait(second.extend(refused.root)).error == ErrorCode::unknown_branch);
}

TEST(stop_strings_and_final_prefixes_end_a_solution) {
    Driver driver;
    const auto stopped = driver.open("p", 1, [](OpenSearch & c) { c.rules.stop = {"no such thing", "+"}; });
    const Completion completion = driver.wait(driver.extend(stopped.root, 99));
    CHECK(completion.reason == FinishReason::end);
    CHECK(text_of(completion).find('+') == std::string::npos);
    CHECK(driver.wait(driver.extend(stopped.root)).steps.empty());

    NaiveModel naive;
    NaiveBranch alone = NaiveBranch::root(naive, "q", 3);
    alone.extend(naive, 99, {});
    CHECK(alone.steps.size() > 1);
    // The prefix is looked for after the blank lines that a step may begin with.
    std::string prefix = alone.steps[0].text.substr(alone.steps[0].text.find_first_not_of('\n'), 2);
    const auto opened = driver.open("q", 3, [&](OpenSearch & c) { c.rules.final_prefix = prefix; });
    const Completion last = driver.wait(driver.extend(opened.root, 99));
    CHECK(last.reason == FinishReason::end);
    CHECK_EQ(text_of(last), alone.steps[0].text);
}

TEST(blank_lines_are_no_steps) {
    Driver driver;
    int led_by_blank = 0;
    std::vector<RequestId> requests;
    for (const BranchId branch : driver.fork(driver.open("line:", 8).root, 64))
        requests.push_back(driver.extend(branch, 99));
    for (const RequestId request : requests) {
        for (const StepResult & step : driver.wait(request).steps) {
            const size_t word = step.text.find_first_not_of('\n');
            led_by_blank += word != 0;
            CHECK(word != std::string::npos && step.text.find('\n', word) + 1 == step.text.size());
        }
    }
    CHECK(led_by_blank > 0);
}

TEST(a_deadline_completes_with_what_there_is) {
    for (const bool by_stop : {false, true}) {
        Driver driver(slow(300us));
        const auto opened = driver.open("deadline", 1, [&](OpenSearch & c) {
            c.rules.delimiters = {};
            if (!by_stop) c.deadline_ms = 8;
        });
        std::vector<RequestId> requests;
        const auto branches = driver.fork(opened.root, 5);
        for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 99));
        if (by_stop) std::this_thread::sleep_for(4ms), driver.stop(opened.search);
        for (const RequestId request : requests) {
            const Completion completion = driver.wait(request);
            CHECK(completion.error == ErrorCode::none);
            CHECK(completion.reason == FinishReason::deadline || completion.reason == FinishReason::end);
        }
        const Completion late = driver.wait(driver.score(branches[0]));
        CHECK(late.error == ErrorCode::none);
        CHECK(late.scores.size() <= 1 && (late.scores.empty() || std::isnan(late.scores[0])));
        CHECK(driver.wait(driver.extend(opened.root)).reason == FinishReason::deadline);
        // Another search is not concerned.
        CHECK(driver.wait(driver.extend(driver.open("other", 1).root)).error == ErrorCode::none);
    }
}

TEST(deadlines_without_end_are_no_deadlines) {
    Driver driver;
    for (const double ms : {-1.0, 1e18, 1e300, std::numeric_limits<double>::infinity(), unscored}) {
        const auto opened = driver.open("p", 1, [&](OpenSearch & c) { c.deadline_ms = ms; });
        CHECK(driver.wait(driver.extend(opened.root)).reason != FinishReason::deadline);
    }
}

TEST(misuse_is_answered_and_harms_nobody) {
    Driver driver;
    const auto opened = driver.open("p", 1, [](OpenSearch & c) { c.rules.delimiters = {}; });
    const RequestId first = driver.next_request(), second = driver.next_request(), none = driver.next_request();
    const BranchId other = driver.fork(opened.root, 1)[0];
    driver.submit({Extend{first, opened.root, 1, {}, false}, Extend{second, opened.root, 1, {}, false},
                   Extend{none, other, 0, {}, false}});
    CHECK(driver.wait(second).error == ErrorCode::invalid_option);
    CHECK(driver.wait(none).error == ErrorCode::invalid_option);
    CHECK(driver.wait(first).error == ErrorCode::none);
    CHECK(driver.wait(driver.extend(99999)).error == ErrorCode::unknown_branch);
    CHECK(driver.wait(driver.score(99999)).error == ErrorCode::unknown_branch);
    driver.release(99999);
    driver.fork(99999, 3);
    driver.stop(99999);
    CHECK(driver.wait(driver.read_ledger(99999)).error == ErrorCode::cancelled);
    CHECK(driver.wait(driver.close(99999)).error == ErrorCode::cancelled);
    driver.release(other);
    CHECK(driver.wait(driver.extend(other)).error == ErrorCode::unknown_branch);
    driver.close_and_wait(opened.search);
    CHECK(driver.wait(driver.extend(opened.root)).error == ErrorCode::unknown_branch);
    CHECK(driver.wait(driver.read_ledger(opened.search)).error == ErrorCode::cancelled);
}

TEST(an_id_in_use_is_refused) {
    Driver driver;
    const auto opened = driver.open("p", 1);
    const RequestId running = driver.extend(opened.root, 99);
    OpenSearch again = driver.search("q", 1);
    again.search = opened.search;
    driver.submit({again});
    CHECK(driver.wait(again.request).error == ErrorCode::invalid_option);
    OpenSearch root = driver.search("q", 1);
    root.root = opened.root;
    driver.submit({root});
    CHECK(driver.wait(root.request).error == ErrorCode::invalid_option);
    CHECK(driver.wait(running).error == ErrorCode::none);
}

TEST(a_release_during_extend_fails_that_extend_alone) {
    Driver driver(slow(200us));
    const auto opened = driver.open("release", 3, [](OpenSearch & c) { c.rules.delimiters = {}; });
    const auto branches = driver.fork(opened.root, 3);
    std::vector<RequestId> requests;
    for (const BranchId branch : branches) requests.push_back(driver.extend(branch));
    std::this_thread::sleep_for(1ms);
    driver.release(branches[1]);
    CHECK(driver.wait(requests[0]).error == ErrorCode::none);
    CHECK(driver.wait(requests[2]).error == ErrorCode::none);
    const Completion gone = driver.wait(requests[1]);
    CHECK(gone.error == ErrorCode::unknown_branch || gone.reason == FinishReason::end);
}

TEST(a_close_at_any_moment_leaves_nothing) {
    std::mt19937_64 random(1);
    Driver driver(slow(30us));
    for (int round = 0; round < 100; ++round) {
        const auto opened = driver.open("close " + std::to_string(round % 3), random());
        std::vector<RequestId> requests;
        const auto branches = driver.fork(opened.root, 6);
        for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 3, true));
        for (const BranchId branch : branches) requests.push_back(driver.score(branch));
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 1500));
        driver.close_and_wait(opened.search);
        for (const RequestId request : requests) {
            const ErrorCode error = driver.wait(request).error;
            CHECK(error == ErrorCode::none || error == ErrorCode::cancelled);
        }
        driver.check_nothing_is_held();
    }
}

}  // namespace
