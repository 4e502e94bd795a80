// Checks what drafting costs when something goes wrong: a draft model's failure costs its guesses alone, a generator's
// what it costs without drafts, and neither model's cache holds anything that the living need.
#include <random>

#include "driver.h"
#include "naive.h"

namespace {

using namespace thinktree;

Driver::Setup drafting_with(const FakeOptions & draft = {}, uint32_t tokens = 4) {
    Driver::Setup setup;
    setup.drafting = {.tokens = tokens, .branches = 99};
    setup.draft = draft;
    return setup;
}

// Three questions with two branches each; returns how many of the guesses were right.
int64_t check_texts(const Driver::Setup & setup) {
    Driver driver(setup);
    NaiveModel naive;
    std::vector<SearchId> searches;
    std::vector<std::pair<RequestId, NaiveBranch>> all;
    for (uint64_t s = 0; s < 3; ++s) {
        const std::string prompt = "question " + std::to_string(s);
        const auto opened = driver.open(prompt, s);
        searches.push_back(opened.search);
        const NaiveBranch root = NaiveBranch::root(naive, prompt, s);
        const auto branches = driver.fork(opened.root, 2);
        for (uint32_t i = 0; i < branches.size(); ++i) all.emplace_back(driver.extend(branches[i], 99), root.fork(i));
    }
    for (auto & [request, alone] : all) {
        const Completion completion = driver.wait(request);
        alone.extend(naive, 99, {});
        CHECK(completion.error == ErrorCode::none);
        CHECK_EQ(text_of(completion), alone.text());
    }
    int64_t kept = 0;
    for (const SearchId search : searches) kept += driver.ledger(search).speculated_kept;
    return kept;
}

TEST_OF_CELLS(a_draft_model_that_fails_costs_guesses_alone) {
    for (const int32_t every : {1, 2, 3, 7, 30}) {
        const int64_t kept = check_texts(drafting_with({.fail_every = every}));
        CHECK(every == 1 ? kept == 0 : kept > 0);
        check_texts(drafting_with({.no_slot_every = every}));
        check_texts(drafting_with({.throw_every = every}));
    }
    check_texts(drafting_with({.poison_token = '7'}));
    check_texts(drafting_with({.nan_after_token = '7'}));
    CHECK_EQ(check_texts(drafting_with({.poison_token = 'q'})), 0);
    CHECK(check_texts(drafting_with()) > 50);
}

TEST_OF_CELLS(a_draft_model_with_little_room_guesses_less) {
    for (const int32_t cells : {1, 8, 20, 40, 70}) {
        for (const int32_t sequences : {1, 2, 5}) {
            FakeOptions small;
            small.cells = small.positions = cells;
            small.sequences = sequences;
            small.batch = 16;
            small.tree_rows = 8;
            const int64_t kept = check_texts(drafting_with(small));
            CHECK(cells < 40 || kept > 0);
        }
    }
}

TEST_OF_CELLS(a_failing_generator_fails_no_more_with_drafts) {
    for (const int32_t every : {19, 27, 41}) {
        for (const bool thrown : {false, true}) {
            Driver::Setup setup = drafting_with({.stray_every = 3});
            (thrown ? setup.generator.throw_every : setup.generator.fail_every) = every;
            check_texts(setup);
        }
    }
}

// The draft model guesses what the generator cannot decode, and would not have written.
TEST_OF_CELLS(a_guess_that_cannot_be_decoded_fails_nobody) {
    NaiveModel naive;
    int sound = 0;
    for (uint64_t seed = 0; seed < static_cast<uint64_t>(harness::rounds(100)); ++seed) {
        Driver::Setup setup = drafting_with({.stray_every = 2});
        setup.generator.poison_token = '7';
        Driver driver(setup);
        const std::string prompt = seed % 2 ? "p" : "poison";  // of one token: all of it is owed again after a failure
        NaiveBranch alone = NaiveBranch::root(naive, prompt, seed);
        alone.extend(naive, 1, {});
        const std::string text = alone.text();
        const Completion completion = driver.wait(driver.extend(driver.open(prompt, seed).root, 1));
        const bool written = text.find('7') != std::string::npos;
        CHECK(completion.error == (written ? ErrorCode::decode_failed : ErrorCode::none));
        if (written) continue;
        ++sound;
        CHECK_EQ(text_of(completion), text);
    }
    CHECK(sound > 0);
}

TEST_OF_CELLS(logits_that_are_no_numbers_fail_where_they_are_drawn_from) {
    NaiveModel naive;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Driver::Setup setup = drafting_with({.stray_every = 2}, 8);
        setup.generator.nan_after_token = '7';
        Driver driver(setup);
        NaiveBranch alone = NaiveBranch::root(naive, "nan", seed);
        alone.extend(naive, 99, {});
        const bool met = alone.text().find('7') != std::string::npos;
        const Completion completion = driver.wait(driver.extend(driver.open("nan", seed).root, 99));
        CHECK(completion.error == (met ? ErrorCode::bad_logits : ErrorCode::none));
    }
}

// What has ended in the middle of a draft lies idle on its cells.
TEST_OF_CELLS(a_text_that_ends_in_a_draft_holds_nothing_against_the_living) {
    const std::array<std::string, 4> final_prefixes{"", "no such", "1", "2"};
    for (uint64_t seed = 0; seed < 48; ++seed) {
        Driver::Setup setup = drafting_with({.stray_every = seed % 3 == 0 ? 4 : 0}, 16);
        setup.generator.cells = setup.draft.cells = 100;
        Driver driver(setup);
        const auto ended = driver.open(std::string(40, '4'), seed, [&](OpenSearch & c) {
            c.rules.final_prefix = final_prefixes[seed % 4];
            if (seed % 5 == 0) c.rules.stop = {"3", "8"};
        });
        driver.wait(driver.extend(ended.root, 1 + static_cast<uint32_t>(seed % 2)));
        const auto living = driver.open(std::string(80, '5'), 1);
        CHECK(driver.wait(driver.extend(living.root), 10).error == ErrorCode::none);
    }
}

// Both caches are too small for all, everything comes and goes, and both models fail now and then.
TEST_OF_CELLS(random_work_with_drafts_always_ends) {
    for (uint64_t seed = 0; seed < harness::rounds(60); ++seed) {
        std::mt19937_64 random(seed);
        Driver::Setup setup =
            drafting_with({.stray_every = static_cast<int32_t>(random() % 5)}, 1 + static_cast<uint32_t>(random() % 6));
        setup.with_verifier = random() % 2;
        const auto little = [&](FakeOptions & options) {
            options.cells = 60 + static_cast<int32_t>(random() % 100);
            options.sequences = 1 + static_cast<int32_t>(random() % 6);
            options.batch = 8 + static_cast<int32_t>(random() % 40);
            options.tree_rows = 8;
            if (random() % 3 == 0) options.fail_every = 17;
            if (random() % 3 == 0) options.throw_every = 23;
            if (random() % 2) options.decode_time = std::chrono::microseconds(50);
        };
        if (seed % 4) little(setup.generator);
        if (seed % 3) little(setup.draft);
        Driver driver(setup);
        std::vector<RequestId> requests;
        std::vector<BranchId> branches;
        std::vector<SearchId> searches;
        for (uint64_t s = 0; s < 4; ++s) {
            const auto opened = driver.open(std::string(s + 1, 'w'), seed + s, [&](OpenSearch & c) {
                if (random() % 4 == 0) c.token_budget = static_cast<int64_t>(random() % 300);
                if (random() % 4 == 0) c.deadline_ms = static_cast<double>(random() % 30);
            });
            branches.push_back(opened.root);
            searches.push_back(opened.search);
        }
        for (int i = 0; i < 200; ++i) {
            const BranchId branch = branches[random() % branches.size()];
            const auto dice = random() % 24;
            SamplerOptions sampler;
            sampler.temperature = seed % 2 ? 0.2f : 1.0f;
            if (dice < 9)
                requests.push_back(driver.extend(branch, 1 + static_cast<uint32_t>(random() % 3),
                                                 setup.with_verifier && random() % 2, sampler));
            else if (dice < 12)
                branches.push_back(driver.fork(branch, 1)[0]);
            else if (dice < 14)
                branches.push_back(driver.condition(branch, "so;"));
            else if (dice < 17)
                driver.release(branch);
            else if (dice < 19 && setup.with_verifier)
                requests.push_back(driver.score(branch));
            else if (dice == 19 && i > 150)
                driver.stop(searches[random() % searches.size()]);
            else
                std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
            if (i == 190 && seed % 5 == 0) driver.close_and_wait(searches[0]);
        }
        for (const RequestId request : requests) driver.wait(request, 20);
    }
}

// The engine goes while texts are being drafted.
TEST_OF_CELLS(an_engine_that_closes_in_a_draft_answers_everyone) {
    for (int i = 0; i < 20; ++i) {
        Driver::Setup setup = drafting_with();
        setup.generator.decode_time = setup.draft.decode_time = std::chrono::microseconds(300);
        setup.stops_checking = true;
        Driver driver(setup);
        const auto opened = driver.open("close", 1);
        for (const BranchId branch : driver.fork(opened.root, 3)) driver.extend(branch, 99);
        std::this_thread::sleep_for(std::chrono::microseconds(700 * i));
    }
}

}  // namespace
