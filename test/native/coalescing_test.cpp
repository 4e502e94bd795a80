// Checks that branches which draw the same tokens from the same place write them once: the texts, probabilities and
// scores are those of each branch alone, and the ledger counts distinct tokens.
#include <random>

#include "naive.h"
#include "scored.h"

namespace {

using namespace thinktree;

SamplerOptions at_temperature(float temperature) {
    SamplerOptions sampler;
    sampler.temperature = temperature;
    return sampler;
}

TEST(greedy_branches_cost_what_one_does) {
    const auto cost = [](uint32_t branches) {
        Driver driver;
        const auto opened = driver.open("greedy", 1);
        const auto requests = driver.extend_together(driver.fork(opened.root, branches), 3, false, at_temperature(0));
        for (const RequestId request : requests) CHECK(driver.wait(request).error == ErrorCode::none);
        const Ledger ledger = driver.ledger(opened.search);
        CHECK_EQ(ledger.coalesced_tokens, ledger.generated_tokens * (branches - 1));
        CHECK_EQ(driver.probe->rows.load(), ledger.tree_tokens_peak);
        return ledger.generated_tokens;
    };
    CHECK_EQ(cost(100), cost(1));
}

TEST(branches_that_draw_alike_part_where_they_differ) {
    int64_t coalesced = 0;
    for (const float temperature : {0.15f, 0.3f, 0.6f}) {
        for (uint64_t seed = 0; seed < 20; ++seed) {
            Driver::Setup setup;
            setup.with_verifier = true;
            Driver driver(setup);
            NaiveModel naive, verifier;
            SamplerOptions sampler = at_temperature(temperature);
            if (seed % 3 == 1) sampler.top_k = 5;
            if (seed % 3 == 2) sampler.top_p = 0.7f;
            const auto opened = driver.open("alike", seed);
            const NaiveBranch root = NaiveBranch::root(naive, "alike", seed);
            const auto branches = driver.fork(opened.root, 24);
            // Different numbers of steps: who has written all of its own leaves the others to go on.
            const auto steps = [](uint32_t i) { return 1 + i % 3; };
            std::vector<RequestId> extended, scored;
            std::vector<Command> commands;
            for (uint32_t i = 0; i < branches.size(); ++i) {
                extended.push_back(driver.next_request());
                commands.push_back(Extend{extended.back(), branches[i], steps(i), sampler, i % 2 == 0});
            }
            driver.submit(std::move(commands));
            std::vector<NaiveBranch> written;
            std::set<std::vector<Token>> ends;
            int64_t drawn = 0, scored_tokens = 0;
            for (uint32_t i = 0; i < branches.size(); ++i) {
                NaiveBranch alone = root.fork(i);
                alone.extend(naive, steps(i), sampler);
                const Completion completion = driver.wait(extended[i]);
                CHECK(completion.reason == (alone.finished ? FinishReason::end : FinishReason::step));
                CHECK_EQ(text_of(completion), alone.text());
                CHECK_EQ(completion.steps.size(), alone.steps.size());
                for (size_t s = 0; s < alone.steps.size(); ++s) {
                    CHECK(same(completion.steps[s].log_probability, alone.steps[s].log_probability));
                }
                drawn += alone.sampled();
                written.push_back(alone);
                scored.push_back(driver.score(branches[i]));
                std::vector<Token> path;
                for (const NaiveStep & step : alone.steps) {
                    path.insert(path.end(), step.tokens.begin(), step.tokens.end());
                    if (ends.insert(path).second) scored_tokens += static_cast<int64_t>(step.tokens.size());
                }
            }
            for (uint32_t i = 0; i < branches.size(); ++i) {
                const auto expected = written[i].likelihoods(verifier, "alike?", true);
                const Completion completion = driver.wait(scored[i]);
                CHECK_EQ(completion.scores.size(), expected.size());
                for (size_t s = 0; s < expected.size(); ++s) CHECK(same(completion.scores[s], expected[s]));
            }
            const Ledger ledger = driver.ledger(opened.search);
            CHECK_EQ(ledger.generated_tokens + ledger.coalesced_tokens, drawn);
            CHECK_EQ(ledger.tree_tokens_peak, distinct_tokens(written));
            CHECK(driver.probe->rows.load() <= ledger.tree_tokens_peak);
            CHECK(ledger.verifier_tokens <= scored_tokens);  // each step once, whoever stands on it
            CHECK(fakes_fork_at_ends || ledger.recomputed_tokens == 0);
            coalesced += ledger.coalesced_tokens;
        }
    }
    CHECK(coalesced > 1000);
}

// A step that many write is scored once, and must not be paid for by each of them beforehand.
TEST(many_that_write_alike_need_no_more_operations_than_one) {
    const auto finishes = [](uint32_t branches, double flops) {
        Driver::Setup setup;
        setup.with_verifier = true;
        Driver driver(setup);
        const auto opened = driver.open("alike", 3, [&](OpenSearch & c) { c.flops_budget = flops; });
        const auto requests = driver.extend_together(driver.fork(opened.root, branches), 99, true, at_temperature(0));
        bool all = true;
        for (const RequestId request : requests) all = all && driver.wait(request).reason != FinishReason::budget;
        CHECK(driver.ledger(opened.search).flops <= flops);
        return all;
    };
    double enough = 2000;
    while (!finishes(1, enough)) enough += 2000;
    CHECK(finishes(64, enough));
    CHECK(!finishes(64, enough - 2000));
}

TEST(what_a_spent_budget_ends_alike_is_one_step) {
    for (uint64_t seed = 0; seed < 60; ++seed) {
        for (const int64_t budget : {3, 10, 25}) {
            Driver::Setup setup;
            setup.with_verifier = true;
            setup.reading = pair_reading("k", 'y', 'n');
            Driver driver(setup);
            const auto opened = driver.open("spent", seed, [&](OpenSearch & c) { c.token_budget = budget; });
            const auto requests = driver.extend_together(driver.fork(opened.root, 24), 99, true, at_temperature(0.3f));
            std::map<std::string, int64_t> steps;  // by all text up to its end
            for (const RequestId request : requests) {
                std::string text;
                for (const StepResult & step : driver.wait(request).steps) {
                    text += step.text + '|';
                    steps[text] = static_cast<int64_t>(step.text.size()) + 1;  // a token is a byte, and there is a tag
                }
            }
            for (const RequestId request : requests) CHECK(driver.wait(request).error == ErrorCode::none);
            int64_t different = 0;
            for (const auto & [text, tokens] : steps) different += tokens;
            CHECK(driver.close_and_wait(opened.search).verifier_tokens <= different);
        }
    }
}

// Those who share a text come and go in the middle of it.
TEST(a_writer_that_leaves_takes_nothing_from_the_others) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
        std::mt19937_64 random(seed);
        Driver::Setup setup;
        setup.generator.decode_time = std::chrono::microseconds(100);
        setup.with_verifier = true;
        if (seed % 2 == 0) setup.generator.cells = setup.verifier.cells = 120;
        if (seed % 4 == 0) setup.generator.no_slot_every = 23;
        Driver driver(setup);
        NaiveModel naive;
        const SamplerOptions sampler = at_temperature(0.2f);
        const bool capped = seed % 3 == 0;
        const int64_t budget = static_cast<int64_t>(random() % 60);
        const auto opened = driver.open("leaves", seed, [&](OpenSearch & c) {
            if (capped) c.token_budget = budget;
        });
        const NaiveBranch root = NaiveBranch::root(naive, "leaves", seed);
        const auto branches = driver.fork(opened.root, 16);
        std::vector<RequestId> requests;
        for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 3, random() % 2 == 0, sampler));
        std::set<uint32_t> gone;
        for (int i = 0; i < 6; ++i) {
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 400));
            const auto leaving = static_cast<uint32_t>(random() % branches.size());
            driver.release(branches[leaving]);
            gone.insert(leaving);
        }
        for (uint32_t i = 0; i < branches.size(); ++i) {
            const Completion completion = driver.wait(requests[i]);
            if (gone.contains(i) && completion.error == ErrorCode::unknown_branch) continue;
            CHECK(completion.error == ErrorCode::none);
            NaiveBranch alone = root.fork(i);
            alone.extend(naive, 3, sampler);
            const std::string text = text_of(completion);
            CHECK(completion.reason == FinishReason::budget ? alone.text().starts_with(text) : text == alone.text());
        }
        if (capped) CHECK(driver.ledger(opened.search).generated_tokens <= budget);
    }
}

}  // namespace
