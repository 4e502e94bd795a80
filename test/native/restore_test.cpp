// Checks that a search which is told again what it had written goes on as if it had never stopped: its texts, scores
// and sharing, and what of it counts as decoded again.
#include "scored.h"

namespace {

using namespace thinktree;

WrittenStep again(const StepResult & step, bool scored) {
    WrittenStep written = step.again;
    written.text = step.text;
    written.scored = scored;
    return written;
}

Restore restored(BranchId branch, const Completion & completion, bool scored = false) {
    Restore command{branch, {}, completion.reason == FinishReason::end};
    for (const StepResult & step : completion.steps) command.steps.push_back(again(step, scored));
    return command;
}

OpenSearch second_life(Driver & driver, uint64_t seed) {
    return driver.search("5*6=", seed, [](OpenSearch & c) { c.again = true; });
}

TEST(what_is_restored_goes_on_and_scores_as_if_it_had_been_written_here) {
    for (const auto & [reading, vocab] : all_readings) {
        for (uint64_t seed = 0; seed < 4; ++seed) {
            Driver first(with_verifier(reading, vocab));
            const auto opened = first.open("5*6=", seed);
            const auto before = first.fork(opened.root, 4);
            std::vector<Completion> rounds;
            for (const RequestId request : first.extend_together(before, 2, true))
                rounds.push_back(first.wait(request));
            for (const BranchId branch : before) first.wait(first.score(branch));

            Driver second(with_verifier(reading, vocab));
            const OpenSearch open = second_life(second, seed);
            second.submit({open});
            const auto after = second.fork(open.root, 4);
            for (size_t i = 0; i < 4; ++i) second.submit({restored(after[i], rounds[i], true)});
            const Ledger nothing = second.ledger(open.search);
            CHECK_EQ(nothing.recomputed_tokens, 0);  // nothing is decoded until somebody asks

            const auto older = first.extend_together(before, 99, true), newer = second.extend_together(after, 99, true);
            for (size_t i = 0; i < 4; ++i) {
                CHECK_EQ(text_of(second.wait(newer[i])), text_of(first.wait(older[i])));
                check_scores(second.wait(second.score(after[i])), first.wait(first.score(before[i])).scores);
            }
            const Ledger whole = first.ledger(opened.search), rest = second.ledger(open.search);
            CHECK_EQ(rest.prompt_tokens, 0);
            CHECK_EQ(rest.verifier_prompt_tokens, 0);
            CHECK(rest.recomputed_tokens > 0);
            CHECK(rest.generated_tokens < whole.generated_tokens);
            CHECK(rest.verifier_tokens < whole.verifier_tokens);
        }
    }
}

TEST(a_solution_that_was_known_to_end_scores_alike_again) {
    const auto soon = [](OpenSearch & c) { c.rules.stop = {"3", "8"}; };
    for (const auto & [reading, vocab] : all_readings) {
        bool known = false;
        for (uint64_t seed = 0; seed < 16; ++seed) {
            Driver first(with_verifier(reading, vocab)), second(with_verifier(reading, vocab));
            const auto opened = first.open("5*6=", seed, soon);
            const Completion whole = first.wait(first.extend(opened.root, 99));
            const OpenSearch open = second_life(second, seed);
            second.submit({open});
            second.submit({restored(open.root, whole)});
            check_scores(second.wait(second.score(open.root)), first.wait(first.score(opened.root)).scores);
            known = known || (!whole.steps.empty() && whole.steps.back().again.last);
        }
        CHECK(known);
    }
}

TEST(branches_that_wrote_alike_share_their_steps_again) {
    Driver first(with_verifier()), second(with_verifier());
    SamplerOptions greedy;
    greedy.temperature = 0;
    const auto opened = first.open("5*6=", 1);
    const auto before = first.fork(opened.root, 8);
    const auto requests = first.extend_together(before, 1, false, greedy);
    const OpenSearch open = second_life(second, 1);
    second.submit({open});
    const auto after = second.fork(open.root, 8);
    size_t tokens = 0;
    for (size_t i = 0; i < 8; ++i) {
        const Completion completion = first.wait(requests[i]);
        if (i == 0) {
            for (const StepResult & step : completion.steps) tokens += step.again.tokens.size();
        }
        second.submit({restored(after[i], completion)});
    }
    for (const RequestId request : second.extend_together(after, 1, false, greedy)) second.wait(request);
    CHECK_EQ(second.ledger(open.search).recomputed_tokens, static_cast<int64_t>(4 + tokens));
}

TEST(a_whole_solution_stays_whole_and_tokens_of_another_model_cost_the_branch) {
    Driver driver;
    const auto opened = driver.open("5*6=", 1);
    const auto branches = driver.fork(opened.root, 3);
    const Completion whole = driver.wait(driver.extend(branches[0], 99));
    driver.submit({restored(branches[1], whole)});
    const Completion more = driver.wait(driver.extend(branches[1]));
    CHECK(more.reason == FinishReason::end && more.steps.empty());
    for (const Token stranger : {-1, 260, 1 << 30}) {
        const BranchId branch = driver.fork(opened.root, 1)[0];
        driver.submit({Restore{branch, {{"1", {stranger}}}, false}});
        CHECK(driver.wait(driver.extend(branch)).error == ErrorCode::unknown_branch);
    }
    driver.submit({Restore{branches[2], {{"", {}}}, false}});  // no step is empty
    CHECK(driver.wait(driver.extend(branches[2])).error == ErrorCode::unknown_branch);
    driver.submit({restored(branches[0] + 99, whole)});  // of no branch: nothing happens
}

TEST(contexts_and_given_steps_are_counted_again_where_they_are_told_again) {
    Driver driver(with_verifier());
    const OpenSearch open = second_life(driver, 2);
    driver.submit({open});
    driver.submit({Write{open.root, "12+3\n", true, true}});
    const BranchId revised = open.root + 1000;
    driver.submit({Condition{open.root, revised, template_text("no:"), true}});
    driver.wait(driver.extend(revised, 1, true));
    driver.wait(driver.score(open.root));
    const Ledger ledger = driver.ledger(open.search);
    CHECK_EQ(ledger.prompt_tokens, 0);
    CHECK_EQ(ledger.verifier_prompt_tokens, 0);
    CHECK(ledger.recomputed_tokens >= 4 + 5 + 3);
}

TEST(a_judge_goes_on_with_its_own_model_on_the_ledger_of_the_search_that_it_judges) {
    Driver::Setup setup;
    setup.with_judge = true;
    setup.verifier.vocab = setup.generator.vocab + 40;
    setup.verifier.stray_every = 1;  // another model
    Driver first(setup), second(setup);
    const auto begun = [](Driver & driver, bool again) {
        const OpenSearch open = driver.search("grow", 3, [&](OpenSearch & c) { c.again = again; });
        driver.submit({open});
        const auto judge = driver.open_judge({open.search, open.root, open.request}, "judge", 4, {}, again);
        const BranchId asked = judge.root + 1000;
        driver.submit({Condition{judge.root, asked, template_text("is it?"), again}});
        return std::pair(open.search, driver.fork(asked, 2));
    };
    const auto [search, before] = begun(first, false);
    const auto [successor, after] = begun(second, true);
    for (size_t i = 0; i < 2; ++i) {
        second.submit({restored(after[i], first.wait(first.extend(before[i])))});
        CHECK_EQ(text_of(second.wait(second.extend(after[i]))), text_of(first.wait(first.extend(before[i]))));
        check_scores(second.wait(second.read_pair(after[i], "+", "0")),
                     first.wait(first.read_pair(before[i], "+", "0")).scores);
    }
    CHECK(first.ledger(search).verifier_prompt_tokens > 0);
    CHECK_EQ(second.ledger(successor).verifier_prompt_tokens, 0);
    CHECK(second.ledger(successor).recomputed_tokens > 0);
}

TEST(signs_of_life_come_while_there_is_work_and_not_without) {
    Driver driver({.generator = {.decode_time = std::chrono::milliseconds(30)}});
    const auto opened = driver.open("5*6=", 1);
    const RequestId request = driver.extend(opened.root, 99);
    int64_t last = driver.stats().progress;
    for (int i = 0; i < 3; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(15));
        const int64_t now = driver.stats().progress;
        CHECK(now > last);
        last = now;
    }
    driver.wait(request);
    driver.close_all();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    last = driver.stats().progress;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK_EQ(driver.stats().progress, last);
}

}  // namespace
