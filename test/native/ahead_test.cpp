// Checks that working ahead changes nothing but the time that a search takes: whole random searches, with and without.
#include <random>

#include "driver.h"
#include "naive.h"
#include "patterns.h"
#include "scored.h"

namespace {

using namespace thinktree;

struct Outcome {
    std::vector<Completion> steps, scores;  // in the order of asking
    Ledger ledger;
    int64_t decodes, rows;
    bool foreseen = true;  // whoever went on is a child that was expected
};

StopRules random_rules(std::mt19937_64 & random) {
    StopRules rules;
    const auto dice = random() % 12;
    if (dice == 0) rules.delimiters = {"+"};
    if (dice == 1) rules.delimiters = {};
    if (dice == 2) rules.final_prefix = "4";
    if (dice == 3) rules.stop = {"7\n", "33"};
    if (dice == 4 || dice == 5) rules.least_log_probability = dice == 4 ? -1.5f : -0.7f;
    if (dice == 5) rules.delimiters = {};
    if (dice == 6) rules.tokens = 3;
    if (dice == 7) rules.pattern = choice_pattern();
    return rules;
}

// What it does depends on the seed alone.
Outcome search(const Driver::Setup & setup, uint64_t seed, bool works_ahead) {
    std::mt19937_64 random(seed);
    const auto below = [&](uint64_t n) { return static_cast<uint32_t>(random() % n); };
    const auto sampler = [&] {
        SamplerOptions options;
        options.temperature = std::array{0.2f, 0.6f, 1.0f}[below(3)];
        if (below(3) == 0) options.top_k = 4;
        return options;
    };
    Driver driver(setup);
    Outcome outcome;
    const auto opened = driver.open("ahead", seed, [&](OpenSearch & c) {
        c.rules = random_rules(random);
        if (below(3) == 0) c.max_length = 5 + below(20);
    });
    const uint32_t width = 1 + below(5);
    const uint32_t ahead = works_ahead ? width : 0;
    SamplerOptions now = sampler();
    std::vector<BranchId> growing = driver.fork(opened.root, 2 + below(30));
    for (int round = 0; round < 6 && !growing.empty(); ++round) {
        const bool score = setup.with_verifier && below(2) == 0;
        const auto requests = driver.extend_together(growing, below(5) == 0 ? 2 : 1, score, now, ahead);
        std::vector<BranchId> next;
        for (size_t i = 0; i < growing.size(); ++i) {
            outcome.steps.push_back(driver.wait(requests[i]));
            if (score) outcome.scores.push_back(driver.wait(driver.score(growing[i])));
            const auto fate = below(8);
            if (outcome.steps.back().reason != FinishReason::step || fate > 4) continue;
            if (fate == 0) {
                next.push_back(driver.condition(growing[i], "5+"));
                outcome.foreseen = false;
            }
            const uint32_t children = fate == 1 ? width + 1 : 1 + below(width);
            outcome.foreseen = outcome.foreseen && children <= width && fate != 2;
            for (const BranchId child : driver.fork(growing[i], children)) next.push_back(child);
            if (fate == 2)
                next.push_back(growing[i]);  // goes on itself as well
            else
                driver.release(growing[i]);
        }
        for (const BranchId branch : growing) {
            if (std::find(next.begin(), next.end(), branch) == next.end()) driver.release(branch);
        }
        if (below(5) == 0) now = sampler();
        growing = next;
    }
    outcome.ledger = driver.close_and_wait(opened.search);
    outcome.decodes = driver.probe->decodes;
    outcome.rows = driver.probe->rows;
    return outcome;
}

void check_equal(const Completion & a, const Completion & b) {
    CHECK(a.error == b.error);
    CHECK(a.reason == b.reason);
    CHECK_EQ(text_of(a), text_of(b));
    CHECK_EQ(a.steps.size(), b.steps.size());
    for (size_t i = 0; i < std::min(a.steps.size(), b.steps.size()); ++i) {
        CHECK_EQ(a.steps[i].text, b.steps[i].text);
        CHECK_EQ(a.steps[i].tokens, b.steps[i].tokens);
        CHECK(same(a.steps[i].log_probability, b.steps[i].log_probability));
    }
    CHECK_EQ(a.scores.size(), b.scores.size());
    for (size_t i = 0; i < std::min(a.scores.size(), b.scores.size()); ++i) CHECK(same(a.scores[i], b.scores[i]));
}

void check_equal_texts(const Outcome & with, const Outcome & without) {
    CHECK_EQ(with.steps.size(), without.steps.size());
    CHECK_EQ(with.scores.size(), without.scores.size());
    for (size_t i = 0; i < std::min(with.steps.size(), without.steps.size()); ++i) {
        check_equal(with.steps[i], without.steps[i]);
    }
    for (size_t i = 0; i < std::min(with.scores.size(), without.scores.size()); ++i) {
        check_equal(with.scores[i], without.scores[i]);
    }
}

void check_same_search(const Outcome & with, const Outcome & without) {
    check_equal_texts(with, without);
    const Ledger & a = with.ledger;
    const Ledger & b = without.ledger;
    CHECK_EQ(a.generated_tokens + a.coalesced_tokens, b.generated_tokens + b.coalesced_tokens);
    if (with.foreseen) CHECK_EQ(a.generated_tokens, b.generated_tokens);
    CHECK_EQ(a.prompt_tokens, b.prompt_tokens);
    if (with.foreseen) CHECK_EQ(a.verifier_tokens, b.verifier_tokens);
    CHECK(a.speculated_tokens >= a.speculated_kept);
    CHECK_EQ(b.speculated_tokens, 0);
}

Driver::Setup with_room() {
    Driver::Setup setup;
    setup.generator.sequences = 256;
    setup.generator.cells = 16384;
    return setup;
}

TEST(working_ahead_writes_what_is_written_without) {
    int64_t kept = 0, dropped = 0, fewer = 0;
    for (int seed = 0; seed < harness::rounds(400); ++seed) {
        Driver::Setup setup = with_room();
        setup.with_verifier = seed % 2 == 0;
        if (seed % 4 == 0) setup.reading = fake_tag_reading;
        const Outcome without = search(setup, static_cast<uint64_t>(seed), false);
        const Outcome with = search(setup, static_cast<uint64_t>(seed), true);
        check_same_search(with, without);
        const Ledger & ledger = with.ledger;
        kept += ledger.speculated_kept;
        dropped += ledger.speculated_tokens - ledger.speculated_kept;
        if (!with.foreseen) continue;
        // What nobody came to have is decoded besides, in batches that are decoded anyway.
        CHECK_EQ(with.rows, without.rows + ledger.speculated_tokens - ledger.speculated_kept);
        CHECK(with.decodes <= without.decodes);
        CHECK_EQ(ledger.recomputed_tokens, 0);
        fewer += without.decodes - with.decodes;
    }
    CHECK(kept > 0 && dropped > 0 && fewer > 0);
}

// Both kinds of speculation at once: the last branches of a round are drafted while others work ahead beside them.
TEST_OF_CELLS(working_ahead_and_drafts_write_what_is_written_without) {
    int64_t kept = 0;
    for (int seed = 0; seed < harness::rounds(400); ++seed) {
        Driver::Setup setup = with_room();
        setup.with_verifier = seed % 2 == 0;
        if (seed % 3 == 0) {
            setup.generator.cells = 200 + seed;
            setup.generator.sequences = 12;
        }
        const Outcome without = search(setup, static_cast<uint64_t>(seed), false);
        setup.drafting = DraftOptions{.tokens = 1 + static_cast<uint32_t>(seed) % 7, .branches = 3};
        setup.draft = setup.generator;
        setup.draft.stray_every = seed % 4;
        const Outcome with = search(setup, static_cast<uint64_t>(seed), true);
        check_equal_texts(with, without);
        kept += with.ledger.speculated_kept;
    }
    CHECK(kept > 0);
}

// A round of a beam search: all write a step, the best of them are forked, the others released.
struct Beams {
    Driver & driver;
    uint32_t width;
    std::vector<BranchId> growing;

    std::vector<Completion> round(bool score, bool best, SamplerOptions sampler = {}) {
        struct Beam {
            BranchId branch;
            double value;
        };
        std::vector<Completion> all;
        std::vector<Beam> beams;
        const auto requests = driver.extend_together(growing, 1, score, sampler, width);
        for (const RequestId request : requests) all.push_back(driver.wait(request));
        for (size_t i = 0; i < growing.size(); ++i) {
            const double value = score ? driver.wait(driver.score(growing[i])).scores.back() : 0;
            if (all[i].reason == FinishReason::step) beams.push_back({growing[i], best ? -value : value});
        }
        std::stable_sort(beams.begin(), beams.end(), [](const Beam & a, const Beam & b) { return a.value < b.value; });
        std::vector<BranchId> next;
        for (size_t i = 0; i < std::min(beams.size(), growing.size() / width); ++i) {
            for (const BranchId child : driver.fork(beams[i].branch, width)) next.push_back(child);
        }
        for (const BranchId branch : growing) driver.release(branch);
        growing = next;
        return all;
    }
};

TEST(who_works_ahead_fills_what_became_free_and_no_more) {
    Driver driver(with_room());
    const auto opened = driver.open("24", 1);
    Beams beams{driver, 4, driver.fork(opened.root, 24)};
    while (!beams.growing.empty()) beams.round(false, true);
    CHECK(driver.ledger(opened.search).speculated_kept > 0);
    CHECK(driver.probe->largest_batch <= 24);
}

TEST(the_best_scored_go_ahead_first) {
    const auto kept = [](bool best) {
        int64_t tokens = 0;
        for (uint64_t seed = 0; seed < 20; ++seed) {
            Driver::Setup setup = with_room();
            setup.with_verifier = true;
            setup.reading = fake_tag_reading;  // which does not prefer short steps
            Driver driver(setup);
            // Some steps are long: the others are scored before they end.
            const auto opened = driver.open("scores", seed, [](OpenSearch & c) { c.rules.delimiters = {"+"}; });
            Beams beams{driver, 16, driver.fork(opened.root, 32)};
            beams.round(true, best);
            beams.round(true, best);
            tokens += driver.ledger(opened.search).speculated_kept;
        }
        return tokens;
    };
    CHECK(kept(true) > 5 * kept(false));
}

TEST(another_sampler_begins_anew) {
    for (const std::string final_prefix : {"", "never"}) {  // with one, nobody has read the logits after a step
        Driver driver(with_room());
        NaiveModel naive;
        const auto opened = driver.open("other", 3, [&](OpenSearch & c) { c.rules.final_prefix = final_prefix; });
        const NaiveBranch root = NaiveBranch::root(naive, "other", 3);
        const auto parents = driver.fork(opened.root, 16);
        for (const RequestId request : driver.extend_together(parents, 1, false, {}, 2)) driver.wait(request);
        CHECK(driver.ledger(opened.search).speculated_tokens > 0);
        SamplerOptions other;
        other.temperature = 0.7f;
        std::vector<BranchId> children;
        for (const BranchId parent : parents) children.push_back(driver.fork(parent, 1)[0]);
        const auto requests = driver.extend_together(children, 1, false, other);
        for (uint32_t i = 0; i < 16; ++i) {
            NaiveBranch parent = root.fork(i);
            parent.extend(naive, 1, {});
            if (parent.finished) continue;
            NaiveBranch child = parent.fork(0);
            const size_t before = parent.text().size();
            child.extend(naive, 1, other);
            CHECK_EQ(text_of(driver.wait(requests[i])), child.text().substr(before));
        }
        const Ledger ledger = driver.ledger(opened.search);
        CHECK(ledger.speculated_kept <= (final_prefix.empty() ? 0 : 16));  // the last tokens of steps are of use to all
        CHECK_EQ(ledger.recomputed_tokens, 0);
    }
}

// One child of many goes on, alone: as many decodes as if nobody else had ever had anything to write.
TEST(no_batch_is_decoded_for_what_is_ahead_alone) {
    const auto decodes = [](uint32_t ahead) {
        Driver driver(with_room());
        const auto opened = driver.open("alone", 2);
        const auto branches = driver.fork(opened.root, 24);
        std::vector<BranchId> going;
        const auto requests = driver.extend_together(branches, 1, false, {}, ahead);
        for (size_t i = 0; i < branches.size(); ++i) {
            if (driver.wait(requests[i]).reason == FinishReason::step) going.push_back(branches[i]);
        }
        const int64_t before = driver.probe->decodes;
        for (const BranchId branch : going) driver.wait(driver.extend(branch));
        return driver.probe->decodes - before;
    };
    CHECK_EQ(decodes(4), decodes(0));
}

// What one child has come to have is no longer anybody's to begin, also where the child is gone by then.
TEST(children_that_go_on_one_by_one_have_each_token_once) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Driver driver(with_room());
        NaiveModel naive;
        SamplerOptions sampler;
        sampler.temperature = 0.3f;  // they write alike
        const auto opened = driver.open("each", seed);
        const NaiveBranch root = NaiveBranch::root(naive, "each", seed);
        const auto parents = driver.fork(opened.root, 12);
        int64_t drawn = 0;
        const auto requests = driver.extend_together(parents, 1, false, sampler, 3);
        std::vector<NaiveBranch> alone, twins;
        for (uint32_t i = 0; i < parents.size(); ++i) {
            driver.wait(requests[i]);
            alone.push_back(root.fork(i));
            alone.back().extend(naive, 1, sampler);
            drawn += alone.back().sampled();
        }
        for (uint32_t i = 0; i < parents.size(); ++i) {
            if (alone[i].finished) continue;
            uint32_t number = 0;
            for (const BranchId child : driver.fork(parents[i], 3)) {
                NaiveBranch twin = alone[i].fork(number++);
                const int64_t before = twin.sampled();
                const size_t text = twin.text().size();
                twin.extend(naive, 1, sampler);
                drawn += twin.sampled() - before;
                CHECK_EQ(text_of(driver.wait(driver.extend(child, 1, false, sampler))), twin.text().substr(text));
                twins.push_back(twin);
                driver.release(child);
            }
        }
        const Ledger ledger = driver.ledger(opened.search);
        CHECK_EQ(ledger.generated_tokens + ledger.coalesced_tokens, drawn);
        CHECK(ledger.generated_tokens + ledger.prompt_tokens >= distinct_tokens(twins));
        CHECK(ledger.speculated_kept <= ledger.speculated_tokens);
    }
}

TEST(more_children_than_a_batch_has_rows_are_not_begun) {
    Driver driver(with_room());
    const auto opened = driver.open("many", 1);
    const auto requests = driver.extend_together(driver.fork(opened.root, 24), 1, false, {}, 4000000000u);
    for (const RequestId request : requests) CHECK(driver.wait(request).error == ErrorCode::none);
    CHECK_EQ(driver.ledger(opened.search).speculated_tokens, 0);
}

TEST(nobody_works_ahead_where_there_is_a_budget) {
    for (const bool tokens : {true, false}) {
        Driver driver(with_room());
        const auto opened = driver.open("budget", 1, [&](OpenSearch & c) {
            if (tokens)
                c.token_budget = 1000000;
            else
                c.flops_budget = 1e12;
        });
        Beams beams{driver, 4, driver.fork(opened.root, 24)};
        while (!beams.growing.empty()) beams.round(false, true);
        CHECK_EQ(driver.ledger(opened.search).speculated_tokens, 0);
    }
}

// When all that was asked for is there, nothing is decoded until more is asked; and what was written for the dropped
// goes with them.
TEST(what_was_written_ahead_waits_and_goes_with_its_branch) {
    for (const std::string how : {"released", "extended", "stopped"}) {
        Driver driver(with_room());
        const auto opened = driver.open("waits", 1);
        const auto branches = driver.fork(opened.root, 24);
        for (const RequestId request : driver.extend_together(branches, 1, false, {}, 4)) driver.wait(request);
        CHECK(driver.ledger(opened.search).speculated_tokens > 0);
        const int64_t decodes = driver.probe->decodes;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        CHECK_EQ(driver.probe->decodes.load(), decodes);
        const int64_t cells = driver.stats().kv_cells;
        if (how == "extended") {  // they go on themselves, not their children
            for (const RequestId request : driver.extend_together(branches)) driver.wait(request);
            CHECK_EQ(driver.ledger(opened.search).speculated_kept, 0);
        }
        if (how == "stopped") {
            driver.stop(opened.search);
            driver.ledger(opened.search);
            CHECK(driver.stats().kv_cells < cells);
        }
        for (const BranchId branch : branches) driver.release(branch);
        driver.ledger(opened.search);
        CHECK(driver.stats().kv_cells <= 5 && cells > 5);  // the prompt's
    }
}

}  // namespace
