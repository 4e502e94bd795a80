// Checks accounts: several searches spend one budget, and all of them together never more than it allows.
#include <random>

#include "scored.h"

namespace {

using namespace thinktree;

constexpr double token_flops = 2000;  // of either fake model

// The change of an OpenSearch that makes it spend from an account.
auto from(AccountId account, int64_t tokens, double flops) {
    return [=](OpenSearch & c) {
        c.account = account;
        c.token_budget = tokens;
        c.flops_budget = flops;
    };
}

TEST(searches_spend_the_tokens_of_one_account_to_the_last) {
    for (const size_t searches : {1u, 2u, 9u}) {
        for (const int64_t budget : {0, 1, 13, 60}) {
            Driver driver;
            std::vector<SearchId> sharing;
            std::vector<RequestId> requests;
            for (size_t i = 0; i < searches; ++i) {
                const auto opened = driver.open("share", i, from(5, budget, -1));
                sharing.push_back(opened.search);
                for (const BranchId branch : driver.fork(opened.root, 3)) {
                    requests.push_back(driver.extend(branch, 99));
                }
            }
            const auto other = driver.open("other", 1);
            bool all_ended = true;
            for (const RequestId request : requests) {
                const Completion completion = driver.wait(request);
                CHECK(completion.reason == FinishReason::budget || completion.reason == FinishReason::end);
                all_ended = all_ended && completion.reason == FinishReason::end;
            }
            int64_t generated = 0;
            for (const SearchId search : sharing) generated += driver.ledger(search).generated_tokens;
            CHECK(all_ended ? generated <= budget : generated == budget);
            CHECK(driver.wait(driver.extend(other.root, 99)).reason == FinishReason::end);
        }
    }
}

TEST(searches_spend_the_operations_of_one_account_to_the_last) {
    for (const int64_t tokens : {0, 11, 12, 40, 90}) {
        Driver driver;
        const double budget = static_cast<double>(tokens) * token_flops;
        const auto a = driver.open("prompt", 2, from(1, -1, budget)),
                   b = driver.open("longer prompt", 3, from(1, 0, 0));
        std::vector<RequestId> requests;
        for (const BranchId root : {a.root, b.root}) {
            for (const BranchId branch : driver.fork(root, 6)) requests.push_back(driver.extend(branch, 99));
        }
        bool all_ended = true;
        for (const RequestId request : requests) {
            all_ended = all_ended && driver.wait(request).reason == FinishReason::end;
        }
        CHECK(!all_ended);
        const double spent = driver.ledger(a.search).flops + driver.ledger(b.search).flops;
        // Where what is left does not pay for a prompt, it stays.
        CHECK(tokens < 40 ? spent <= budget : spent == budget);
    }
}

TEST(what_a_closed_search_has_spent_stays_spent) {
    for (const bool tokens : {true, false}) {
        Driver driver;
        const auto account = tokens ? from(3, 20, -1) : from(3, -1, 20 * token_flops);
        const auto cost = [&](const Ledger & ledger) {
            return tokens ? static_cast<double>(ledger.generated_tokens) : ledger.flops / token_flops;
        };
        const auto first = driver.open("p", 1, account), second = driver.open("p", 2, account);
        for (const BranchId branch : driver.fork(first.root, 2)) driver.wait(driver.extend(branch));
        const double gone = cost(driver.close_and_wait(first.search));
        CHECK(gone > 0 && gone < 20);
        std::vector<RequestId> requests;
        for (const BranchId branch : driver.fork(second.root, 20)) requests.push_back(driver.extend(branch, 99));
        for (const RequestId request : requests) driver.wait(request);
        CHECK_EQ(cost(driver.close_and_wait(second.search)), 20 - gone);
        // With its last search the account goes too.
        const auto anew = driver.open("p", 1, account);
        CHECK(driver.wait(driver.extend(anew.root)).reason == FinishReason::step);
    }
}

TEST(a_search_that_was_refused_leaves_no_account) {
    Driver driver;
    CHECK(driver.wait(driver.open(" ", 1, from(1, 0, 0)).request).error == ErrorCode::empty_prompt);
    CHECK(driver.wait(driver.extend(driver.open("p", 1, from(1, -1, -1)).root, 99)).reason == FinishReason::end);
}

TEST(hidden_states_are_paid_for_by_the_account) {
    Driver driver;
    const auto a = driver.open("just", 1, from(1, -1, 10 * token_flops)), b = driver.open("enough", 1, from(1, -1, -1)),
               c = driver.open("x", 1, from(1, -1, -1));
    const RequestId first = driver.hidden_state(a.search), second = driver.hidden_state(b.search);
    CHECK(driver.wait(first).error == ErrorCode::none);
    CHECK(driver.wait(second).error == ErrorCode::none);
    for (const SearchId search : {a.search, b.search, c.search}) {
        CHECK(driver.wait(driver.hidden_state(search)).error == ErrorCode::exhausted);
    }
    CHECK_EQ(driver.ledger(a.search).flops + driver.ledger(b.search).flops, 10 * token_flops);
}

// Extends that ask for scores leave enough to score all that they wrote, whoever else spends from the account.
TEST(what_is_to_be_scored_is_left_in_the_account) {
    std::vector<Driver::Setup> setups{with_verifier(), with_verifier(fake_tag_reading)};
    if (!fakes_fork_at_ends) setups.push_back(with_own_head());
    for (const Driver::Setup & setup : setups) {
        for (int64_t tokens = 20; tokens < 300; tokens += 3) {
            Driver driver(setup);
            std::vector<std::pair<BranchId, RequestId>> extends;
            std::vector<SearchId> searches;
            for (uint64_t i = 0; i < 4; ++i) {
                const auto opened = driver.open("prompt", i, from(1, -1, static_cast<double>(tokens) * token_flops));
                searches.push_back(opened.search);
                for (const BranchId branch : driver.fork(opened.root, 3)) {
                    extends.emplace_back(branch, driver.extend(branch, 99, true));
                }
                for (int n = 0; n < 2; ++n) {  // solutions of their own that begin at the same place
                    const BranchId branch = driver.condition(opened.root, "");
                    extends.emplace_back(branch, driver.extend(branch, 99, true));
                }
            }
            for (const auto & [branch, extend] : extends) {
                const Completion completion = driver.wait(extend);
                CHECK(completion.error == ErrorCode::none);
                const Completion scored = driver.wait(driver.score(branch));
                CHECK_EQ(scored.scores.size(), completion.steps.size());
                for (const double score : scored.scores) CHECK(fakes_fork_at_ends || !std::isnan(score));
            }
            double spent = 0;
            for (const SearchId search : searches) spent += driver.ledger(search).flops;
            CHECK(spent <= static_cast<double>(tokens) * token_flops);
        }
    }
}

// Random accounts and work: searches that open and close at any moment, with room and without, with faults.
void spend_at_random(uint64_t seed) {
    std::mt19937_64 random(seed);
    const Driver::Setup setup = random_setup(random);
    Driver driver(setup);
    struct Shared {
        int64_t tokens = -1;
        double flops = -1;
        std::vector<SearchId> open;
        std::vector<RequestId> closed;
    };
    std::vector<Shared> accounts(1 + seed % 2);
    std::vector<BranchId> branches;
    const auto open = [&](size_t account) {
        Shared & shared = accounts[account];
        const auto opened = driver.open(std::string(1 + random() % 30, 'c'), random(), [&](OpenSearch & c) {
            from(static_cast<AccountId>(account + 1), shared.tokens, shared.flops)(c);
            c.verifier_sees_context = random() % 2 == 0;
        });
        shared.open.push_back(opened.search);
        branches.push_back(opened.root);
    };
    for (size_t i = 0; i < accounts.size(); ++i) {
        if (random() % 3) accounts[i].tokens = static_cast<int64_t>(random() % 120);
        if (random() % 4) accounts[i].flops = static_cast<double>(random() % 500) * token_flops + 1;
        open(i);  // this one stays, and with it the account
    }
    std::vector<RequestId> requests;
    for (int i = 0; i < 50; ++i) {
        const BranchId branch = branches[random() % branches.size()];
        const size_t account = random() % accounts.size();
        std::vector<SearchId> & searches = accounts[account].open;
        const auto dice = random() % 24;
        if (dice < 9) {
            const bool score = (setup.with_verifier || setup.head) && random() % 2;
            requests.push_back(driver.extend(branch, 1 + random() % 4, score));
        } else if (dice < 13) {
            branches.push_back(driver.fork(branch, 1)[0]);
        } else if (dice < 14) {
            branches.push_back(driver.condition(branch, std::string(random() % 12, ';')));
        } else if (dice < 15) {
            requests.push_back(driver.hidden_state(searches[random() % searches.size()]));
        } else if (dice < 17) {
            requests.push_back(driver.score(branch));
        } else if (dice < 21) {
            open(account);
        } else if (dice < 23 && searches.size() > 1) {
            accounts[account].closed.push_back(driver.close(searches.back()));
            searches.pop_back();
        } else {
            driver.wait(requests.empty() ? driver.read_ledger(searches[0]) : requests.back());
        }
    }
    for (const RequestId request : requests) driver.wait(request, 20);
    for (const Shared & shared : accounts) {
        std::vector<RequestId> ledgers = shared.closed;
        for (const SearchId search : shared.open) ledgers.push_back(driver.read_ledger(search));
        int64_t tokens = 0;
        double flops = 0;
        for (const RequestId request : ledgers) {
            const Ledger ledger = *driver.wait(request).ledger;
            tokens += ledger.generated_tokens;
            flops += ledger.flops;
        }
        CHECK(shared.tokens < 0 || tokens <= shared.tokens);
        CHECK(shared.flops < 0 || flops <= shared.flops);
    }
}

TEST(no_account_is_ever_overdrawn) {
    for (int seed = 0; seed < harness::rounds(5000); ++seed) spend_at_random(static_cast<uint64_t>(seed));
}

}  // namespace
