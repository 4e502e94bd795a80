// Checks the cap on operations: nothing passes it, whatever is asked in whatever order, and what is asked for within it
// is done.
#include <random>

#include "scored.h"

namespace {

using namespace thinktree;

constexpr double token_flops = 2000;  // of either fake model

TEST(a_cap_below_the_prompts_own_cost_ends_the_first_extend_at_once) {
    for (const double tokens : {0.0, 1.0, 5.999}) {
        Driver driver;
        const auto opened = driver.open("prompt", 1, [&](OpenSearch & c) { c.flops_budget = tokens * token_flops; });
        CHECK(driver.wait(opened.request).error == ErrorCode::none);
        const Completion completion = driver.wait(driver.extend(opened.root, 99));
        CHECK(completion.error == ErrorCode::none);
        CHECK(completion.reason == FinishReason::budget);
        CHECK(completion.steps.empty());
        CHECK_EQ(driver.ledger(opened.search).flops, 0.0);
        CHECK_EQ(driver.probe->decodes.load(), 0);
        CHECK(driver.wait(driver.extend(opened.root)).reason == FinishReason::budget);
    }
}

TEST(a_cap_is_spent_to_the_token_without_a_verifier) {
    for (const uint32_t branches : {1u, 3u, 20u}) {
        for (const int64_t tokens : {6, 7, 40, 100}) {
            Driver driver;
            const auto opened = driver.open("prompt", 2, [&](OpenSearch & c) {
                c.flops_budget = static_cast<double>(tokens) * token_flops;
                c.rules.delimiters = {};
            });
            std::vector<RequestId> requests;
            for (const BranchId branch : driver.fork(opened.root, branches)) {
                requests.push_back(driver.extend(branch, 99));
            }
            bool all_ended = true;
            for (const RequestId request : requests) {
                const Completion completion = driver.wait(request);
                CHECK(completion.reason == FinishReason::budget || completion.reason == FinishReason::end);
                all_ended = all_ended && completion.reason == FinishReason::end;
            }
            const double flops = driver.ledger(opened.search).flops;
            CHECK(all_ended ? flops <= static_cast<double>(tokens) * token_flops
                            : flops == static_cast<double>(tokens) * token_flops);
        }
    }
}

// An extend that asks for scores leaves enough to score all that it wrote; but not to compute states again for it.
TEST(what_is_to_be_scored_is_paid_for_before_more_is_written) {
    int ended_by_budget = 0;
    for (const auto & [reading, vocab] : all_readings) {
        for (int64_t tokens = 5; tokens < 160; tokens += 7) {
            Driver driver(with_verifier(reading, vocab));
            const auto opened = driver.open("prompt", 4, [&](OpenSearch & c) {
                c.flops_budget = static_cast<double>(tokens) * token_flops;
                c.verifier_sees_context = tokens % 2 == 0;
            });
            std::vector<BranchId> branches = driver.fork(opened.root, 3);
            for (const bool again : {false, true}) {
                std::vector<RequestId> requests;
                for (BranchId & branch : branches) {
                    if (again) branch = driver.condition(branch, "again:");
                    requests.push_back(driver.extend(branch, 99, true));
                }
                for (size_t i = 0; i < branches.size(); ++i) {
                    const Completion completion = driver.wait(requests[i]);
                    CHECK(completion.error == ErrorCode::none);
                    ended_by_budget += completion.reason == FinishReason::budget;
                    const Completion scored = driver.wait(driver.score(branches[i]));
                    CHECK_EQ(scored.scores.size(), completion.steps.size());
                    for (const double score : scored.scores) CHECK(fakes_fork_at_ends || !std::isnan(score));
                }
            }
            const double flops = driver.ledger(opened.search).flops;
            CHECK(flops <= static_cast<double>(tokens) * token_flops);
        }
    }
    CHECK(ended_by_budget > 50);
}

TEST(scores_that_no_longer_fit_stay_unscored) {
    Driver driver(with_verifier());
    const auto opened = driver.open("prompt", 4, [&](OpenSearch & c) { c.flops_budget = 30 * token_flops; });
    const Completion completion = driver.wait(driver.extend(opened.root, 99));  // scores are not asked for
    CHECK(!completion.steps.empty());
    const Completion scored = driver.wait(driver.score(opened.root));
    CHECK(scored.error == ErrorCode::none);
    CHECK_EQ(scored.scores.size(), completion.steps.size());
    CHECK(std::isnan(scored.scores.back()));
    CHECK(driver.ledger(opened.search).flops <= 30 * token_flops);
    // Another search is not concerned.
    CHECK(driver.wait(driver.extend(driver.open("other", 1).root, 99)).reason == FinishReason::end);
}

// Random caps and work, several searches at once, with room and without.
void spend_at_random(uint64_t seed) {
    std::mt19937_64 random(seed);
    const Driver::Setup setup = random_setup(random);
    Driver driver(setup);
    struct Capped {
        Driver::Opened opened;
        int64_t tokens;
        double flops;
    };
    std::vector<Capped> searches;
    std::vector<BranchId> branches;
    for (uint64_t s = 0; s < 1 + seed % 3; ++s) {
        Capped capped{{}, -1, -1};
        if (random() % 3) capped.tokens = static_cast<int64_t>(random() % 60);
        if (random() % 4) capped.flops = static_cast<double>(random() % 250) * token_flops + 1;
        capped.opened = driver.open(std::string(1 + random() % 30, 'c'), random(), [&](OpenSearch & c) {
            c.token_budget = capped.tokens;
            c.flops_budget = capped.flops;
            c.verifier_sees_context = random() % 2 == 0;
        });
        branches.push_back(capped.opened.root);
        searches.push_back(capped);
    }
    std::vector<RequestId> requests;
    for (int i = 0; i < 40; ++i) {
        const BranchId branch = branches[random() % branches.size()];
        const auto dice = random() % 20;
        if (dice < 8) {
            const bool score = (setup.with_verifier || setup.head) && random() % 2;
            SamplerOptions sampler;
            sampler.temperature = random() % 2 ? 0.2f : 1.0f;  // many that draw alike, or few
            requests.push_back(driver.extend(branch, 1 + random() % 4, score, sampler));
        } else if (dice < 12) {
            branches.push_back(driver.fork(branch, 1)[0]);
        } else if (dice < 14) {
            branches.push_back(driver.condition(branch, std::string(random() % 12, ';')));
        } else if (dice < 15) {
            requests.push_back(driver.hidden_state(searches[random() % searches.size()].opened.search));
        } else if (dice < 16) {
            driver.release(branch);
        } else if (dice < 19) {
            requests.push_back(driver.score(branch));
        } else {
            driver.wait(requests.empty() ? searches[0].opened.request : requests.back());
        }
    }
    for (const RequestId request : requests) driver.wait(request, 20);
    for (const Capped & capped : searches) {
        const Ledger ledger = driver.ledger(capped.opened.search);
        CHECK(capped.tokens < 0 || ledger.generated_tokens <= capped.tokens);
        CHECK(capped.flops < 0 || ledger.flops <= capped.flops);
    }
}

TEST(no_budget_is_ever_exceeded) {
    for (int seed = 0; seed < harness::rounds(10000); ++seed) spend_at_random(static_cast<uint64_t>(seed));
}

}  // namespace
