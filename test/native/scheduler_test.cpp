// Checks what the scheduler writes and counts when nothing goes wrong: the same text as each branch written alone,
// a fair turn for everyone, exact ledgers. Limits, lifecycle, scoring, pressure and faults have files of their own.
#include "scheduler/scheduler.h"

#include "driver.h"
#include "naive.h"

namespace {

using namespace thinktree;

TEST(branches_are_written_as_if_each_were_alone) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("12+30=", 5);
    CHECK(driver.wait(opened.request).error == ErrorCode::none);
    const NaiveBranch root = NaiveBranch::root(naive, "12+30=", 5);
    const auto branches = driver.fork(opened.root, 12);
    const auto requests = driver.extend_together(branches, 99);
    int64_t sampled = 0;
    std::vector<NaiveBranch> written;
    for (uint32_t i = 0; i < branches.size(); ++i) {
        NaiveBranch alone = root.fork(i);
        alone.extend(naive, 99, {});
        const Completion completion = driver.wait(requests[i]);
        CHECK(completion.error == ErrorCode::none);
        CHECK(completion.reason == FinishReason::end);
        CHECK_EQ(text_of(completion), alone.text());
        CHECK_EQ(completion.steps.size(), alone.steps.size());
        for (size_t s = 0; s < alone.steps.size(); ++s) {
            CHECK_EQ(completion.steps[s].tokens >= alone.steps[s].tokens.size(), true);
            CHECK(same(completion.steps[s].log_probability, alone.steps[s].log_probability));
        }
        sampled += alone.sampled();
        written.push_back(alone);
    }
    const int64_t distinct = distinct_tokens(written);
    const Ledger ledger = driver.ledger(opened.search);
    CHECK_EQ(ledger.prompt_tokens, 6);
    CHECK_EQ(ledger.generated_tokens + ledger.coalesced_tokens, sampled);
    CHECK_EQ(ledger.recomputed_tokens, 0);
    CHECK_EQ(ledger.tree_tokens_peak, distinct);
    CHECK_EQ(ledger.kv_cells_peak, distinct);  // each ended on the end token, which needs the logits of its last
    CHECK_EQ(driver.probe->rows.load(), distinct);
    CHECK_EQ(ledger.flops, 2000.0 * static_cast<double>(distinct));
}

// Step by step with forks in between, as a beam search does it.
TEST(forking_between_steps_costs_no_tokens) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("prompt", 1);
    std::vector<std::pair<BranchId, NaiveBranch>> beam{{opened.root, NaiveBranch::root(naive, "prompt", 1)}};
    std::vector<NaiveBranch> written;
    for (int depth = 0; depth < 3; ++depth) {
        std::vector<std::pair<BranchId, NaiveBranch>> next;
        for (auto & [id, alone] : beam) {
            const auto children = driver.fork(id, 3);
            for (uint32_t i = 0; i < 3; ++i) next.emplace_back(children[i], alone.fork(i));
        }
        std::vector<BranchId> ids;
        for (auto & [id, alone] : next) ids.push_back(id);
        const auto requests = driver.extend_together(ids);
        for (size_t i = 0; i < next.size(); ++i) {
            const size_t steps_before = next[i].second.steps.size();
            next[i].second.extend(naive, 1, {});
            const auto & steps = next[i].second.steps;
            CHECK(driver.wait(requests[i]).reason ==
                  (next[i].second.finished ? FinishReason::end : FinishReason::step));
            CHECK_EQ(text_of(driver.wait(requests[i])), steps.size() > steps_before ? steps.back().text : "");
            written.push_back(next[i].second);
        }
        beam = std::move(next);
    }
    const int64_t distinct = distinct_tokens(written);
    const Ledger ledger = driver.ledger(opened.search);
    CHECK_EQ(ledger.recomputed_tokens, 0);
    CHECK_EQ(ledger.tree_tokens_peak, distinct);
    const EngineStats stats = driver.stats();
    CHECK_EQ(stats.kv_cells, driver.probe->cells_used.load());
    CHECK_EQ(driver.probe->rows.load(), ledger.kv_cells_peak);
    CHECK_EQ(ledger.kv_cells_peak, distinct);
}

TEST(what_shares_the_batch_does_not_matter) {
    const auto write = [](int others) {
        Driver driver;
        std::vector<Driver::Opened> company;
        for (int i = 0; i < others; ++i) {
            company.push_back(driver.open(std::string(1 + i % 7, 'x'), static_cast<uint64_t>(i)));
            for (const BranchId branch : driver.fork(company.back().root, 3)) driver.extend(branch, 99);
        }
        const auto opened = driver.open("7*8=", 77);
        std::vector<RequestId> requests;
        for (const BranchId branch : driver.fork(opened.root, 4)) requests.push_back(driver.extend(branch, 99));
        std::string all;
        for (const RequestId request : requests) all += text_of(driver.wait(request)) + "|";
        return all;
    };
    CHECK_EQ(write(40), write(0));
}

TEST(different_seeds_and_forks_write_different_texts) {
    Driver driver;
    std::set<std::string> texts;
    std::vector<RequestId> requests;
    for (uint64_t seed = 0; seed < 5; ++seed) {
        for (const BranchId branch : driver.fork(driver.open("q", seed).root, 5)) {
            requests.push_back(driver.extend(branch, 99));
        }
    }
    for (const RequestId request : requests) texts.insert(text_of(driver.wait(request)));
    CHECK_EQ(texts.size(), requests.size());
}

TEST(many_searches_are_in_flight_at_once) {
    Driver driver;
    NaiveModel naive;
    std::vector<RequestId> requests;
    for (uint64_t i = 0; i < 200; ++i) {
        requests.push_back(driver.extend(driver.open("search " + std::to_string(i % 10), i).root, 2));
    }
    for (uint64_t i = 0; i < 200; ++i) {
        NaiveBranch alone = NaiveBranch::root(naive, "search " + std::to_string(i % 10), i);
        alone.extend(naive, 2, {});
        CHECK_EQ(text_of(driver.wait(requests[i])), alone.text());
    }
    CHECK_EQ(driver.stats().searches, 200);
}

// 160 branches over 16 rows: if the first in the queue were served until they end, the last would end long after.
TEST(more_branches_than_rows_take_turns) {
    Driver::Setup setup;
    setup.generator.tree_rows = 16;
    setup.generator.sequences = 256;
    Driver driver(setup);
    const auto opened = driver.open("p", 3, [](OpenSearch & c) {
        c.rules.delimiters = {};
        c.max_length = 12;
    });
    const auto requests = driver.extend_together(driver.fork(opened.root, 160));
    driver.wait(requests.front());
    // The first has its 12 tokens, so everyone has had at least 10 or has ended by itself.
    const Ledger ledger = driver.ledger(opened.search);
    CHECK(ledger.generated_tokens + ledger.coalesced_tokens > 160 * 8);
    for (const RequestId request : requests) driver.wait(request);
    CHECK(driver.probe->largest_batch.load() <= 16);
}

TEST(a_long_prompt_takes_several_batches) {
    Driver::Setup setup;
    setup.generator.batch = 32;
    setup.generator.tree_rows = 8;
    Driver driver(setup);
    NaiveModel naive;
    const std::string prompt(700, '3');
    const auto opened = driver.open(prompt, 9);
    const auto other = driver.open("short", 9);
    const RequestId a = driver.extend(opened.root, 2), b = driver.extend(other.root, 2);
    NaiveBranch alone = NaiveBranch::root(naive, prompt, 9);
    alone.extend(naive, 2, {});
    CHECK_EQ(text_of(driver.wait(a)), alone.text());
    alone = NaiveBranch::root(naive, "short", 9);
    alone.extend(naive, 2, {});
    CHECK_EQ(text_of(driver.wait(b)), alone.text());
    const Ledger ledger = driver.ledger(opened.search);
    CHECK_EQ(ledger.prompt_tokens, 700);
    CHECK_EQ(ledger.recomputed_tokens, 0);
    CHECK(driver.probe->largest_batch.load() <= 32);
    CHECK(driver.probe->decodes.load() < 200);  // 22 for the prompt, and one a token
}

// The row after a step is kept while a branch stands there, and no longer needed branches recompute nothing.
TEST(a_branch_left_behind_goes_on_later_without_recomputing) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("later", 4);
    driver.wait(driver.extend(opened.root));
    const auto forks = driver.fork(opened.root, 3);
    NaiveBranch root = NaiveBranch::root(naive, "later", 4);
    root.extend(naive, 1, {});
    for (uint32_t i = 0; i < 3; ++i) {
        const Completion completion = driver.wait(driver.extend(forks[i], 2));
        NaiveBranch alone = root.fork(i);
        alone.extend(naive, 2, {});
        CHECK_EQ(root.text() + text_of(completion), alone.text());
    }
    CHECK_EQ(driver.ledger(opened.search).recomputed_tokens, 0);
    // A fork made while its parent writes stands where the parent stood.
    const RequestId writing = driver.extend(opened.root, 2);
    const BranchId late = driver.fork(opened.root, 1)[0];
    const Completion completion = driver.wait(driver.extend(late, 1));
    CHECK(completion.error == ErrorCode::none);
    CHECK(driver.wait(writing).error == ErrorCode::none);
}

TEST(submitting_from_several_threads) {
    Driver::Setup setup;
    setup.with_verifier = true;
    Driver driver(setup);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 6; ++t) {
        threads.emplace_back([&driver, t] {
            NaiveModel naive;
            for (uint64_t i = 0; i < 6; ++i) {
                const std::string prompt = "thread " + std::to_string(t);
                const auto opened = driver.open(prompt, i);
                const auto branches = driver.fork(opened.root, 4);
                std::vector<RequestId> requests;
                for (const BranchId branch : branches) requests.push_back(driver.extend(branch, 2, i % 2 == 0));
                if (i % 3 == 2) driver.stop(opened.search);
                for (const BranchId branch : branches) requests.push_back(driver.score(branch));
                driver.release(branches[0]);
                for (const RequestId request : requests) driver.wait(request);
                if (i % 3 != 2) {
                    NaiveBranch alone = NaiveBranch::root(naive, prompt, i).fork(1);
                    alone.extend(naive, 2, {});
                    CHECK_EQ(text_of(driver.wait(requests[1])), alone.text());
                }
                driver.close_and_wait(opened.search);
                (void)driver.stats();
            }
        });
    }
    for (std::thread & thread : threads) thread.join();
    driver.check_nothing_is_held();
}

}  // namespace
