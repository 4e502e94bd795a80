// Checks where steps end, by every rule: text by text, and whole searches against branches that are written alone, with
// drafts, coalescing and scores.
#if defined(__GNUC__) && !defined(__clang__)
// GCC takes a part of std::regex for uninitialised where sanitizers are on.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <random>

#include "naive.h"
#include "patterns.h"
#include "scheduler/step_text.h"
#include "scored.h"

namespace {

using namespace thinktree;

TEST(a_pattern_is_found_where_a_regular_expression_is) {
    const std::array<std::pair<Pattern, std::regex>, 2> patterns{
        {{choice_pattern(), std::regex(choice_regex)}, {between_pattern(), std::regex(between_regex)}}};
    for (uint64_t seed = 0; seed < 3000; ++seed) {
        std::mt19937_64 random(seed);
        const auto & [pattern, regex] = patterns[seed % 2];
        std::string text, piece;
        PatternScan scan;
        bool found = false;
        for (int i = 0; i < 12; ++i) {
            piece.clear();
            for (uint64_t letters = random() % 3; letters > 0; --letters) piece += "123456\n"[random() % 7];
            text += piece;
            found = scan.read(pattern, piece) || found;
            CHECK_EQ(found, std::regex_search(text, regex));
        }
    }
}

TEST(characters_of_several_bytes_may_come_in_pieces) {
    Pattern pattern;  // the ideographic full stop, or what is no character
    pattern.places = {{{{0x3002, 0x3002}, {0xFFFD, 0xFFFD}, {0x1F600, 0x1F600}}, {}}};
    pattern.first = pattern.last = places({0});
    const auto at = [&](std::initializer_list<std::string_view> pieces) {
        PatternScan scan;
        int found = -1, piece = 0;
        for (const std::string_view text : pieces) {
            if (scan.read(pattern, text) && found < 0) found = piece;
            ++piece;
        }
        return found;
    };
    CHECK_EQ(at({"\xE3\x80\x82"}), 0);
    CHECK_EQ(at({"\xE3", "\x80", "\x82"}), 2);
    CHECK_EQ(at({"\xF0\x9F", "\x98\x80"}), 1);
    CHECK_EQ(at({"\xE3\x80", "\x81", "a"}), -1);  // another ideograph
    CHECK_EQ(at({"\xE3\x80", "a"}), 1);
    CHECK_EQ(at({"a", "\x80"}), 1);
    CHECK_EQ(at({"\xFF"}), 0);
    CHECK_EQ(at({"\xC3\xA9"}), -1);
}

TEST(a_delimiter_may_come_in_pieces_and_not_before_the_first_word) {
    StopRules rules;
    rules.delimiters = {"\n\n", "END"};
    const auto ends = [&](std::initializer_list<std::string_view> pieces) {
        PatternScan scan;
        std::string text;
        uint32_t tokens = 0;
        for (const std::string_view piece : pieces) {
            const size_t known = text.size();
            text += piece;
            if (ends_step(text, known, ++tokens, scan, rules)) return static_cast<int>(tokens);
        }
        return 0;
    };
    CHECK_EQ(ends({"a\n", "\nb"}), 2);
    CHECK_EQ(ends({"\n\n", "a", "\n", "\n"}), 4);
    CHECK_EQ(ends({"\n", "\na\n", "b"}), 0);
    CHECK_EQ(ends({"E", "N", "D"}), 3);
    CHECK_EQ(ends({"the ENDING"}), 1);
    rules.delimiters = {};
    rules.tokens = 2;
    CHECK_EQ(ends({"\n", "\n", "a", "b"}), 3);
    CHECK_EQ(ends({"a", "b", "c"}), 2);
}

struct Rule {
    StopRules rules;
    std::optional<std::regex> regex = {};
};

Rule random_rule(std::mt19937_64 & random) {
    Rule rule;
    StopRules & rules = rule.rules;
    rules.delimiters.clear();
    switch (random() % 6) {
        case 0: rules.delimiters = {"+", "7\n"}; break;
        case 1: rules.tokens = 1 + static_cast<uint32_t>(random() % 5); break;
        case 2: rules.least_log_probability = std::array{-0.5f, -1.2f, -2.5f}[random() % 3]; break;
        case 3: rules.pattern = choice_pattern(), rule.regex = choice_regex; break;
        case 4: rules.pattern = between_pattern(), rule.regex = between_regex; break;
        default:
            rules.delimiters = {"\n"};
            rules.least_log_probability = -1.5f;
            break;
    }
    return rule;
}

// Rounds of forks and extends of one question; each branch writes what it would have written alone.
TEST_OF_CELLS(every_rule_ends_steps_where_each_branch_alone_would) {
    int64_t coalesced = 0, kept = 0;
    size_t most_steps = 0;
    for (int seed = 0; seed < harness::rounds(240); ++seed) {
        std::mt19937_64 random(static_cast<uint64_t>(seed));
        const Rule rule = random_rule(random);
        const std::regex * regex = rule.regex ? &*rule.regex : nullptr;
        Driver::Setup setup;
        setup.with_verifier = true;
        if (seed % 3 > 0) {
            setup.drafting = DraftOptions{.tokens = 1 + static_cast<uint32_t>(random() % 6), .branches = 99};
            setup.draft.stray_every = seed % 3 == 1 ? 0 : 5;
        }
        if (seed % 8 == 7) setup.generator.cells = setup.verifier.cells = 120;
        Driver driver(setup);
        NaiveModel naive, verifier;
        SamplerOptions sampler;
        sampler.temperature = std::array{0.2f, 0.6f, 1.2f}[random() % 3];
        const auto opened =
            driver.open("rules", static_cast<uint64_t>(seed), [&](OpenSearch & c) { c.rules = rule.rules; });
        const NaiveBranch root = NaiveBranch::root(naive, "rules", static_cast<uint64_t>(seed));
        struct Written {
            BranchId id;
            NaiveBranch alone;
        };
        std::vector<Written> branches;
        const std::vector<BranchId> first = driver.fork(opened.root, 8);
        for (uint32_t i = 0; i < first.size(); ++i) branches.push_back({first[i], root.fork(i)});
        int64_t drawn = 0;
        std::set<std::vector<Token>> step_ends;
        int64_t step_tokens = 0;
        for (int round = 0; round < 4; ++round) {
            std::vector<Command> commands;
            std::vector<RequestId> requests;
            const uint32_t steps = 1 + static_cast<uint32_t>(random() % 3);
            for (const Written & branch : branches) {
                requests.push_back(driver.next_request());
                commands.push_back(Extend{requests.back(), branch.id, steps, sampler, random() % 2 == 0});
            }
            driver.submit(std::move(commands));
            std::vector<Written> next;
            for (size_t i = 0; i < branches.size(); ++i) {
                NaiveBranch & alone = branches[i].alone;
                const size_t before = alone.steps.size();
                const int64_t had = alone.sampled();
                if (!alone.finished) alone.extend(naive, steps, sampler, rule.rules, regex);
                drawn += alone.sampled() - had;
                const Completion completion = driver.wait(requests[i]);
                CHECK(completion.error == ErrorCode::none);
                CHECK(completion.reason == (alone.finished ? FinishReason::end : FinishReason::step));
                CHECK_EQ(completion.steps.size(), alone.steps.size() - before);
                for (size_t s = before; s < std::min(alone.steps.size(), before + completion.steps.size()); ++s) {
                    const StepResult & step = completion.steps[s - before];
                    CHECK_EQ(step.text, alone.steps[s].text);
                    CHECK_EQ(step.tokens, alone.steps[s].sampled);
                    CHECK(same(step.log_probability, alone.steps[s].log_probability));
                }
                most_steps = std::max(most_steps, alone.steps.size());
                std::vector<Token> path;
                for (const NaiveStep & step : alone.steps) {
                    path.insert(path.end(), step.tokens.begin(), step.tokens.end());
                    if (step_ends.insert(path).second) step_tokens += static_cast<int64_t>(step.tokens.size());
                }
                const Completion scored = driver.wait(driver.score(branches[i].id));
                const auto expected = alone.likelihoods(verifier, "rules?", true);
                CHECK_EQ(scored.scores.size(), expected.size());
                for (size_t s = 0; s < std::min(expected.size(), scored.scores.size()); ++s) {
                    CHECK(same(scored.scores[s], expected[s]));
                }
                if (alone.finished || random() % 3 == 0) continue;
                for (uint32_t child = 0; child < 1 + random() % 2; ++child) {
                    next.push_back({driver.fork(branches[i].id, 1)[0], alone.fork(child)});
                }
            }
            branches = std::move(next);
        }
        const Ledger ledger = driver.ledger(opened.search);
        CHECK_EQ(ledger.generated_tokens + ledger.coalesced_tokens, drawn);
        CHECK(ledger.verifier_tokens <= step_tokens);  // each step once, whoever stands on it
        coalesced += ledger.coalesced_tokens;
        kept += ledger.speculated_kept;
    }
    CHECK(coalesced > harness::rounds(240));
    CHECK(kept > harness::rounds(240));
    CHECK(most_steps > 4);
}

// Operations are never more than they may be, also where some end a step and others go on.
TEST(a_step_that_ends_where_others_go_on_is_paid_for) {
    for (int seed = 0; seed < harness::rounds(60); ++seed) {
        for (const double flops : {3e4, 1e5, 3e5}) {
            Driver::Setup setup;
            setup.with_verifier = true;
            Driver driver(setup);
            SamplerOptions sampler;
            sampler.temperature = 0.5f;
            const auto opened = driver.open("paid", static_cast<uint64_t>(seed), [&](OpenSearch & c) {
                c.flops_budget = flops;
                c.rules.least_log_probability = -1.0f;
            });
            const auto requests = driver.extend_together(driver.fork(opened.root, 12), 6, true, sampler);
            for (const RequestId request : requests) CHECK(driver.wait(request).error == ErrorCode::none);
            CHECK(driver.close_and_wait(opened.search).flops <= flops);
        }
    }
}

}  // namespace
