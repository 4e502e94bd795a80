// Checks that drafts change how many decodes a text takes, and nothing else: texts, tokens, probabilities, scores and
// reasons are those of an engine without a draft model, whatever that thinks and however it fails.
#include <random>

#include "driver.h"
#include "naive.h"

namespace {

using namespace thinktree;

// `stray_every` 0: the draft model thinks as the generator does; 1: never.
Driver::Setup drafting(int32_t stray_every = 0, DraftOptions options = {.tokens = 4, .branches = 99}) {
    Driver::Setup setup;
    setup.drafting = options;
    setup.draft.stray_every = stray_every;
    return setup;
}

SamplerOptions random_sampler(std::mt19937_64 & random) {
    SamplerOptions sampler;
    const std::array<float, 4> temperatures{0.0f, 0.2f, 0.7f, 1.3f};
    sampler.temperature = temperatures[random() % 4];
    if (random() % 3 == 0) sampler.top_k = 3;
    if (random() % 3 == 0) sampler.top_p = 0.6f;
    if (random() % 3 == 0) sampler.min_p = 0.3f;
    return sampler;
}

TEST_OF_CELLS(a_draft_model_that_thinks_alike_saves_decodes) {
    for (const float temperature : {0.0f, 1.0f}) {
        SamplerOptions sampler;
        sampler.temperature = temperature;
        const auto run = [&](const Driver::Setup & setup) {
            Driver driver(setup);
            const auto opened = driver.open("chain", 3);
            const std::string text = text_of(driver.wait(driver.extend(opened.root, 99, false, sampler)));
            return std::tuple{text, driver.ledger(opened.search), driver.probe->decodes.load()};
        };
        const auto [text, ledger, decodes] = run({});
        const auto [drafted_text, drafted_ledger, drafted_decodes] = run(drafting());
        CHECK_EQ(drafted_text, text);
        CHECK(drafted_decodes <= 1 + (decodes + 3) / 4);  // and the prompt
        CHECK_EQ(drafted_ledger.generated_tokens, ledger.generated_tokens);
        CHECK_EQ(drafted_ledger.tree_tokens_peak, ledger.tree_tokens_peak);
        CHECK_EQ(drafted_ledger.speculated_kept, drafted_ledger.speculated_tokens);
        CHECK(drafted_ledger.speculated_kept * 2 >= drafted_ledger.generated_tokens);
        CHECK(drafted_ledger.draft_tokens >= drafted_ledger.tree_tokens_peak - 5);
        CHECK_EQ(ledger.speculated_tokens + ledger.draft_tokens, 0);
    }
}

// Many branches of one question, in rounds that fork, condition, score and take different numbers of steps: each writes
// what it would have written alone. The same by `seed` with every setup.
Ledger check_rounds(uint64_t seed, const Driver::Setup & setup) {
    std::mt19937_64 random(seed);
    Driver driver(setup);
    NaiveModel naive, verifier;
    struct Written {
        BranchId id;
        NaiveBranch alone;
        uint32_t forks = 0;
    };
    const auto opened = driver.open("drafted", seed);
    std::vector<Written> branches{{opened.root, NaiveBranch::root(naive, "drafted", seed)}};
    const SamplerOptions sampler = random_sampler(random);
    for (int round = 0; round < 4; ++round) {
        for (uint64_t more = 1 + random() % 5; more > 0; --more) {
            const size_t from = random() % branches.size();
            const BranchId parent = branches[from].id;
            const uint32_t index = branches[from].forks++;
            const NaiveBranch alone = branches[from].alone;
            if (random() % 5 > 0) {
                branches.push_back({driver.fork(parent, 1)[0], alone.fork(index)});
            } else {
                branches.push_back({driver.condition(parent, ";:"), alone.condition(index, ";:")});
            }
        }
        std::vector<Command> commands;
        std::vector<std::pair<RequestId, uint32_t>> extends;
        for (const Written & branch : branches) {
            const uint32_t steps = 1 + static_cast<uint32_t>(random() % 3);
            extends.emplace_back(driver.next_request(), steps);
            const bool score = random() % 2 == 0 && setup.with_verifier;
            commands.push_back(Extend{extends.back().first, branch.id, steps, sampler, score});
        }
        driver.submit(std::move(commands));
        for (size_t i = 0; i < branches.size(); ++i) {
            NaiveBranch & alone = branches[i].alone;
            const size_t before = alone.steps.size();
            if (!alone.finished) alone.extend(naive, extends[i].second, sampler);
            const Completion completion = driver.wait(extends[i].first);
            CHECK(completion.error == ErrorCode::none);
            CHECK(completion.reason == (alone.finished ? FinishReason::end : FinishReason::step));
            CHECK_EQ(completion.steps.size(), alone.steps.size() - before);
            for (size_t s = before; s < alone.steps.size(); ++s) {
                CHECK_EQ(completion.steps[s - before].text, alone.steps[s].text);
                CHECK(same(completion.steps[s - before].log_probability, alone.steps[s].log_probability));
            }
        }
    }
    for (const Written & branch : branches) {
        if (!setup.with_verifier) break;
        const Completion completion = driver.wait(driver.score(branch.id));
        const auto expected = branch.alone.likelihoods(verifier, "drafted?", true);
        CHECK_EQ(completion.scores.size(), expected.size());
        for (size_t s = 0; s < expected.size(); ++s) CHECK(same(completion.scores[s], expected[s]));
    }
    const Ledger ledger = driver.ledger(opened.search);
    CHECK(ledger.kv_cells_peak >= driver.stats().kv_cells);
    CHECK_EQ(driver.draft_probe->rows.load(), ledger.draft_tokens);
    const int64_t rows = driver.probe->rows + driver.verifier_probe->rows + driver.draft_probe->rows;
    CHECK_EQ(ledger.flops, 2000.0 * static_cast<double>(rows));
    return ledger;
}

TEST_OF_CELLS(whatever_is_guessed_the_text_is_what_each_branch_writes_alone) {
    int64_t speculated = 0, kept = 0, coalesced = 0;
    for (uint64_t seed = 0; seed < harness::rounds(60); ++seed) {
        const std::array<int32_t, 4> strays{0, 1, 3, 7};
        const std::array<uint32_t, 4> lengths{1, 2, 4, 16};
        Driver::Setup without, with = drafting(strays[seed % 4], {.tokens = lengths[seed / 4 % 4], .branches = 99});
        without.with_verifier = with.with_verifier = seed % 3 > 0;
        const Ledger expected = check_rounds(seed, without), ledger = check_rounds(seed, with);
        CHECK_EQ(ledger.generated_tokens + ledger.coalesced_tokens,
                 expected.generated_tokens + expected.coalesced_tokens);
        CHECK(ledger.tree_tokens_peak - ledger.generated_tokens ==
              expected.tree_tokens_peak - expected.generated_tokens);
        // What a verifier computes again depends on when it is asked.
        if (!with.with_verifier) CHECK(ledger.recomputed_tokens <= expected.recomputed_tokens);
        speculated += ledger.speculated_tokens;
        kept += ledger.speculated_kept;
        coalesced += ledger.coalesced_tokens;
    }
    CHECK(kept > 0 && kept < speculated && coalesced > 0);
}

struct Outcome {
    std::vector<Completion> completions;
    Ledger ledger;
    int64_t decodes;
};

// A random search by `seed`, the same with every setup.
Outcome random_search(uint64_t seed, const Driver::Setup & setup) {
    std::mt19937_64 random(seed);
    Driver driver(setup);
    const auto opened = driver.open("rules", seed, [&](OpenSearch & c) {
        const std::array<std::vector<std::string>, 5> delimiters{{{"\n"}, {}, {"+", "1"}, {"1"}, {"\n\n"}}};
        c.rules.delimiters = delimiters[random() % 5];
        if (random() % 3 == 0) c.rules.final_prefix = std::string(1, static_cast<char>('0' + random() % 10));
        if (random() % 3 == 0) c.rules.stop = {"77", "+4"};
        if (random() % 3 == 0) c.max_length = static_cast<int64_t>(random() % 40);
        if (random() % 3 == 0) c.token_budget = static_cast<int64_t>(random() % 60);
    });
    const SamplerOptions sampler = random_sampler(random);
    Outcome outcome;
    std::vector<BranchId> branches = driver.fork(opened.root, 1);
    for (int i = 0; i < 8; ++i) {
        const BranchId branch = branches[random() % branches.size()];
        const std::array<uint32_t, 3> steps{1, 2, 99};
        outcome.completions.push_back(driver.wait(driver.extend(branch, steps[random() % 3], false, sampler)));
        if (random() % 2 == 0) branches.push_back(driver.fork(branch, 1)[0]);
        if (random() % 4 == 0) branches.push_back(driver.condition(branch, "again"));
    }
    outcome.ledger = driver.ledger(opened.search);
    outcome.decodes = driver.probe->decodes;
    return outcome;
}

TEST_OF_CELLS(texts_end_where_they_end_without_drafts) {
    int64_t decodes = 0, drafted_decodes = 0;
    for (uint64_t seed = 0; seed < harness::rounds(250); ++seed) {
        const Outcome expected = random_search(seed, {});
        const std::array<uint32_t, 3> tokens{1, 4, 16};
        const Outcome drafted =
            random_search(seed, drafting(seed % 2 ? 0 : 5, {.tokens = tokens[seed % 3], .branches = 1}));
        for (size_t i = 0; i < expected.completions.size(); ++i) {
            const Completion &a = expected.completions[i], &b = drafted.completions[i];
            CHECK(a.reason == b.reason);
            CHECK(a.error == ErrorCode::none && b.error == ErrorCode::none);
            CHECK_EQ(a.steps.size(), b.steps.size());
            for (size_t s = 0; s < std::min(a.steps.size(), b.steps.size()); ++s) {
                CHECK_EQ(a.steps[s].text, b.steps[s].text);
                CHECK_EQ(a.steps[s].tokens, b.steps[s].tokens);
                CHECK(same(a.steps[s].log_probability, b.steps[s].log_probability));
            }
        }
        CHECK_EQ(expected.ledger.generated_tokens, drafted.ledger.generated_tokens);
        CHECK_EQ(expected.ledger.tree_tokens_peak, drafted.ledger.tree_tokens_peak);
        CHECK(expected.ledger.recomputed_tokens >= drafted.ledger.recomputed_tokens);
        decodes += expected.decodes;
        drafted_decodes += drafted.decodes;
    }
    CHECK(drafted_decodes * 2 < decodes);
}

TEST_OF_CELLS(many_branches_spend_a_token_budget_exactly) {
    for (uint64_t seed = 0; seed < 60; ++seed) {
        Driver driver(drafting(seed % 3 ? 4 : 0, {.tokens = 1 + static_cast<uint32_t>(seed % 7), .branches = 99}));
        NaiveModel naive;
        const int64_t budget = 3 + static_cast<int64_t>(seed);
        const auto opened = driver.open("spent", seed, [&](OpenSearch & c) { c.token_budget = budget; });
        const NaiveBranch root = NaiveBranch::root(naive, "spent", seed);
        SamplerOptions sampler;
        sampler.temperature = 0.3f;
        const auto requests = driver.extend_together(driver.fork(opened.root, 12), 99, false, sampler);
        for (uint32_t i = 0; i < requests.size(); ++i) {
            const Completion completion = driver.wait(requests[i]);
            NaiveBranch alone = root.fork(i);
            alone.extend(naive, 99, sampler);
            CHECK(completion.error == ErrorCode::none);
            CHECK(alone.text().starts_with(text_of(completion)));
        }
        CHECK_EQ(driver.ledger(opened.search).generated_tokens, budget);
    }
}

// An agreeing draft model's guesses are all written: none is made beyond where a text must end.
TEST_OF_CELLS(nothing_is_guessed_that_no_text_has_room_for) {
    for (int64_t limit = 1; limit < 20; ++limit) {
        for (const int what : {0, 1, 2}) {
            Driver::Setup setup = drafting(0, {.tokens = 7, .branches = 4});
            if (what == 2) setup.generator.positions = 7 + static_cast<int32_t>(limit);
            Driver driver(setup);
            const auto opened = driver.open("limited", 4, [&](OpenSearch & c) {
                c.rules.delimiters = {};
                if (what == 0) c.max_length = limit;
                if (what == 1) c.token_budget = limit;
            });
            driver.wait(driver.extend(opened.root));
            const Ledger ledger = driver.ledger(opened.search);
            CHECK_EQ(ledger.speculated_kept, ledger.speculated_tokens);
            CHECK(limit < 4 || ledger.speculated_kept > 0);
        }
    }
}

// Where no prefix marks the last step a branch looks one token beyond its step, else it stops at once: with and
// without, it goes on from the logits that came with the draft.
TEST_OF_CELLS(a_step_that_ends_in_a_draft_keeps_what_comes_after_it) {
    for (const char * final_prefix : {"", "no such"}) {
        Driver driver(drafting(0, {.tokens = 16, .branches = 4}));
        NaiveModel naive;
        NaiveBranch alone = NaiveBranch::root(naive, "stepwise", 2);
        alone.extend(naive, 99, {});
        const auto opened = driver.open("stepwise", 2, [&](OpenSearch & c) { c.rules.final_prefix = final_prefix; });
        std::string text;
        for (FinishReason reason = FinishReason::step; reason == FinishReason::step;) {
            const Completion completion = driver.wait(driver.extend(opened.root));
            text += text_of(completion);
            reason = completion.reason;
        }
        CHECK_EQ(text, alone.text());
        CHECK_EQ(driver.ledger(opened.search).recomputed_tokens, 0);
        CHECK(driver.ledger(opened.search).speculated_kept > 0);
    }
}

TEST_OF_CELLS(only_few_texts_are_drafted) {
    SamplerOptions hot;
    hot.temperature = 5;
    Driver driver(drafting(0, {.tokens = 4, .branches = 3}));
    const auto many = driver.open("many", 1);
    const auto requests = driver.extend_together(driver.fork(many.root, 40), 1, false, hot);
    for (const RequestId request : requests) driver.wait(request);
    // The first steps of the 40 end at about the same time; 3 of them are soon written.
    const Ledger ledger = driver.ledger(many.search);
    CHECK(ledger.speculated_tokens * 4 < ledger.generated_tokens);
    const auto few = driver.open("few", 1);
    driver.wait(driver.extend_together(driver.fork(few.root, 3), 1, false, hot).back());
    CHECK(driver.ledger(few.search).speculated_tokens > 0);
}

// A budget of operations ends a search where it would end without drafts.
TEST_OF_CELLS(a_budget_of_operations_is_not_spent_on_guesses) {
    for (const bool shared : {false, true}) {
        const auto run = [&](const Driver::Setup & setup) {
            Driver driver(setup);
            const auto opened = driver.open("flops", 3, [&](OpenSearch & c) {
                c.flops_budget = 40 * 2000;
                if (shared) c.account = 7;
            });
            const std::string text = text_of(driver.wait(driver.extend(opened.root, 99)));
            const Ledger ledger = driver.ledger(opened.search);
            CHECK_EQ(ledger.speculated_tokens + ledger.draft_tokens, 0);
            CHECK(ledger.flops <= 40 * 2000);
            return text;
        };
        CHECK_EQ(run(drafting()), run({}));
    }
}

TEST_OF_CELLS(a_draft_model_of_another_vocabulary_is_refused) {
    const auto generator = make_fake_model({});
    const auto code = [&](const FakeOptions & options) {
        const auto model = make_fake_model(options);
        try {
            Drafter(std::make_unique<Lane>(model, model->make_context({}, [] { return false; })), {}, *generator);
        } catch (const Error & error) {
            CHECK(std::string(error.what()).find("leave draft out") != std::string::npos);
            return error.code;
        }
        return ErrorCode::none;
    };
    CHECK(code({}) == ErrorCode::none);
    CHECK(code({.vocab = 300}) == ErrorCode::invalid_option);
}

}  // namespace
