// Checks what a backend's failures cost: a passing fault nothing, a lasting one only the branch that causes it.
#include "naive.h"
#include "scored.h"

namespace {

using namespace thinktree;

// The toy rarely writes these; prompts carry them in.
constexpr Token poison = '!';

std::string write(const FakeOptions & faults, int * failures = nullptr, const FakeOptions & verifier_faults = {}) {
    Driver::Setup setup;
    setup.generator = faults;
    setup.verifier = verifier_faults;
    setup.with_verifier = true;
    Driver driver(setup);
    std::string all;
    std::vector<RequestId> requests;
    std::vector<BranchId> branches;
    for (uint64_t s = 0; s < 4; ++s) {
        for (const BranchId branch : driver.fork(driver.open("fault", s).root, 5)) branches.push_back(branch);
    }
    for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 99, true));
    for (const RequestId request : requests) {
        const Completion completion = driver.wait(request);
        all += text_of(completion) + "|";
        if (failures != nullptr) *failures += completion.error != ErrorCode::none;
    }
    for (const BranchId branch : branches) {
        const Completion completion = driver.wait(driver.score(branch));
        if (failures != nullptr) *failures += completion.error != ErrorCode::none;
        for (const double score : completion.scores) all += std::to_string(score) + " ";
    }
    return all;
}

TEST(passing_faults_change_nothing) {
    const std::string sound = write({});
    // Rare enough that the 20 branches, run alone one after another, are through before the next.
    for (const int32_t every : {27, 41, 60}) {
        int failures = 0;
        CHECK_EQ(write({.fail_every = every}, &failures), sound);
        CHECK_EQ(write({.no_slot_every = every}, &failures), sound);
        CHECK_EQ(write({.throw_every = every}, &failures), sound);
        CHECK_EQ(failures, 0);
    }
    for (const int32_t every : {7, 12, 30}) {
        int failures = 0;
        CHECK_EQ(write({}, &failures, {.fail_every = every}), sound);
        CHECK_EQ(write({}, &failures, {.throw_every = every}), sound);
        CHECK_EQ(failures, 0);
    }
}

TEST(an_extend_that_fails_moves_nothing) {
    Driver::Setup setup;
    setup.with_verifier = true;
    setup.generator.poison_token = '\n';  // the first step is drawn, and the second cannot begin
    Driver driver(setup);
    const BranchId branch = driver.fork(driver.open("1+2?", 3).root, 1).front();
    const Completion failed = driver.wait(driver.extend(branch, 2, false));
    CHECK(failed.error == ErrorCode::decode_failed);
    CHECK(failed.steps.empty());
    const Completion scored = driver.wait(driver.score(branch));
    CHECK(scored.error == ErrorCode::none);
    CHECK_EQ(scored.scores.size(), size_t{0});  // the caller was told of no step, and so there is none
}

TEST(a_backend_that_always_fails_fails_everyone_soon) {
    for (const FakeOptions & faults :
         {FakeOptions{.fail_every = 1}, FakeOptions{.no_slot_every = 1}, FakeOptions{.throw_every = 1}}) {
        Driver::Setup setup;
        setup.generator = faults;
        Driver driver(setup);
        const auto opened = driver.open("p", 1);
        std::vector<RequestId> requests;
        for (const BranchId branch : driver.fork(opened.root, 10)) requests.push_back(driver.extend(branch));
        for (const RequestId request : requests) CHECK(driver.wait(request).error == ErrorCode::decode_failed);
        CHECK(driver.probe->decodes.load() <= 40);
    }
}

TEST(only_the_guilty_branch_fails) {
    NaiveModel naive;
    Driver::Setup setup;
    setup.generator.poison_token = poison;
    setup.with_verifier = true;
    Driver driver(setup);
    std::vector<RequestId> requests;
    for (uint64_t i = 0; i < 12; ++i) {
        requests.push_back(driver.extend(driver.open(i % 4 == 1 ? "bad!" : "good", i).root, 99));
    }
    for (uint64_t i = 0; i < 12; ++i) {
        const Completion completion = driver.wait(requests[i]);
        if (i % 4 == 1) {
            CHECK(completion.error == ErrorCode::decode_failed);
            continue;
        }
        NaiveBranch alone = NaiveBranch::root(naive, "good", i);
        alone.extend(naive, 99, {});
        CHECK_EQ(text_of(completion), alone.text());
    }
}

// The first batches of its prompt are sound; a branch is cleared by its whole path only.
TEST(a_guilty_token_deep_in_a_prompt_fails_its_branch) {
    Driver::Setup setup;
    setup.generator.poison_token = setup.verifier.poison_token = poison;
    setup.generator.batch = setup.verifier.batch = 32;
    setup.generator.tree_rows = 16;
    setup.with_verifier = true;
    Driver driver(setup);
    const auto bad = driver.open(std::string(200, '1') + "!", 1), good = driver.open(std::string(200, '2'), 2);
    const RequestId guilty = driver.extend(bad.root), innocent = driver.extend(good.root, 9, true);
    CHECK(driver.wait(guilty, 10).error == ErrorCode::decode_failed);
    CHECK(driver.wait(innocent, 10).error == ErrorCode::none);
    CHECK(driver.wait(driver.score(good.root), 10).error == ErrorCode::none);
    OpenSearch search = driver.search("fine", 3);
    search.verifier_prompt = template_text(std::string(200, '3') + "!");
    const BranchId branch = search.root;
    driver.submit({std::move(search)});
    CHECK(driver.wait(driver.extend(branch, 1, true), 10).error == ErrorCode::none);
    CHECK(driver.wait(driver.score(branch), 10).error == ErrorCode::decode_failed);
}

TEST(a_guilty_step_fails_its_scores_alone) {
    Driver::Setup setup;
    setup.with_verifier = true;
    setup.verifier.poison_token = '7';
    Driver driver(setup);
    const auto opened = driver.open("p", 4);
    std::vector<std::pair<RequestId, RequestId>> requests;
    int failed = 0, sound = 0;
    for (const BranchId branch : driver.fork(opened.root, 16)) {
        requests.emplace_back(driver.extend(branch, 1, true), 0);
        requests.back().second = driver.next_request();
        driver.wait(requests.back().first);
        driver.submit({Score{requests.back().second, branch}});
    }
    for (const auto & [extend, score] : requests) {
        const std::string text = text_of(driver.wait(extend));
        // The last token of a likelihood is never decoded.
        const bool guilty = text.substr(0, text.empty() ? 0 : text.size() - 1).find('7') != std::string::npos;
        const Completion completion = driver.wait(score);
        CHECK(completion.error == (guilty ? ErrorCode::decode_failed : ErrorCode::none));
        ++(guilty ? failed : sound);
    }
    CHECK(failed > 0 && sound > 0);
}

TEST(logits_that_are_no_numbers_fail_the_branch_alone) {
    Driver::Setup setup;
    setup.generator.nan_after_token = '7';
    Driver driver(setup);
    const auto opened = driver.open("p", 4);
    std::vector<BranchId> branches = driver.fork(opened.root, 16);
    std::vector<RequestId> requests;
    int failed = 0;
    for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 1));
    for (const RequestId request : requests) {
        const Completion completion = driver.wait(request);
        CHECK(completion.error == ErrorCode::bad_logits || completion.error == ErrorCode::none);
        failed += completion.error == ErrorCode::bad_logits;
        CHECK(text_of(completion).find('7') == std::string::npos);
    }
    CHECK(failed > 0 && failed < 16);
    for (const BranchId branch : branches) driver.wait(driver.extend(branch, 1));  // again: an answer, not a hang
}

// A step that could not be scored is tried again with each step below it.
TEST(a_score_that_failed_can_be_asked_for_again) {
    for (const bool tag : {false, true}) {
        for (const bool poisoned : {false, true}) {
            Driver::Setup setup;
            setup.with_verifier = true;
            if (tag) setup.reading = fake_tag_reading;
            (poisoned ? setup.verifier.poison_token : setup.verifier.nan_after_token) = tag ? fake_tag_token : '7';
            setup.reading.negative = tag ? 0 : -1;  // where the fake puts its NaN
            Driver driver(setup);
            const auto opened = driver.open("again", 4);
            int failed = 0;
            for (const BranchId branch : driver.fork(opened.root, 10)) {
                driver.wait(driver.extend(branch, 1, true));
                driver.wait(driver.extend(branch, 1, true));
                for (int attempt = 0; attempt < 3; ++attempt) {
                    const ErrorCode error = driver.wait(driver.score(branch), 10).error;
                    CHECK(error == ErrorCode::none ||
                          error == (poisoned ? ErrorCode::decode_failed : ErrorCode::bad_logits));
                    failed += error != ErrorCode::none;
                }
            }
            CHECK(failed > 0);
        }
    }
}

}  // namespace
