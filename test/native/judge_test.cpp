// A judge's search beside the one that it judges: whose time, account and ledger it has; what is read at a branch's
// end.
#include "scored.h"

namespace thinktree {

namespace {

Driver::Setup judging() {
    Driver::Setup setup;
    setup.with_judge = true;
    return setup;
}

double pair_after(NaiveModel & model, const std::string & text) {
    const std::vector<Token> path = model.model().tokenize(template_text(text), false);
    return static_cast<double>(pair_probability(model.row_after(path), '+', '0'));
}

}  // namespace

TEST(a_pair_is_read_after_all_that_a_branch_has_and_leaves_it_as_it_was) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("grow", 3);
    check_scores(driver.wait(driver.read_pair(opened.root, "+", "0")), {pair_after(naive, "grow")});
    const BranchId asked = driver.condition(opened.root, "so ");
    check_scores(driver.wait(driver.read_pair(asked, "+", "0")), {pair_after(naive, "growso ")});
    check_scores(driver.wait(driver.read_pair(asked, "+", "0")), {pair_after(naive, "growso ")});
    const std::string written = text_of(driver.wait(driver.extend(asked)));
    check_scores(driver.wait(driver.read_pair(asked, "+", "0")), {pair_after(naive, "growso " + written)});
    const Completion whole = driver.wait(driver.extend(asked, 1000));
    CHECK(whole.reason == FinishReason::end);
    driver.wait(driver.read_pair(asked, "+", "0"));
    CHECK(driver.wait(driver.extend(asked)).reason == FinishReason::end);
    CHECK(driver.wait(driver.read_pair(asked, "no token", "0")).error == ErrorCode::invalid_option);
}

TEST(branches_that_read_and_branches_that_write_share_a_batch) {
    Driver driver;
    NaiveModel naive;
    const auto opened = driver.open("grow", 3);
    const auto forks = driver.fork(opened.root, 3);
    const RequestId first = driver.next_request(), second = driver.next_request(), third = driver.next_request();
    driver.submit({ReadPair{first, forks[0], "+", "0"}, Extend{second, forks[1], 1, {}, false},
                   ReadPair{third, forks[2], "0", "+"}});
    const double share = pair_after(naive, "grow");
    check_scores(driver.wait(first), {share});
    check_scores(driver.wait(third), {1 - share});
    CHECK(!text_of(driver.wait(second)).empty());
    CHECK_EQ(driver.ledger(opened.search).prompt_tokens, 4);
}

TEST(what_does_not_fit_the_context_is_not_read) {
    Driver::Setup setup;
    setup.generator.positions = 8;
    Driver driver(setup);
    const auto opened = driver.open("grow", 3);
    const BranchId full = driver.condition(opened.root, "1234");
    CHECK(driver.wait(driver.read_pair(full, "+", "0")).error == ErrorCode::none);
    const BranchId over = driver.condition(opened.root, "12345");
    CHECK(driver.wait(driver.read_pair(over, "+", "0")).error == ErrorCode::context_exceeded);
}

TEST(a_judge_writes_with_its_own_model_on_the_ledger_of_the_search_that_it_judges) {
    Driver driver(judging());
    const auto search = driver.open("grow", 3, [](OpenSearch & c) { c.token_budget = 3; });
    const auto judge = driver.open_judge(search, "judge", 4);
    driver.wait(search.request);
    CHECK(driver.wait(judge.request).error == ErrorCode::none);
    const Completion verdict = driver.wait(driver.extend(judge.root, 2));
    CHECK(verdict.reason == FinishReason::step);  // a budget of tokens is the generator's
    CHECK(driver.wait(driver.extend(search.root, 9)).reason == FinishReason::budget);
    CHECK(driver.wait(driver.extend(judge.root)).error == ErrorCode::none);
    const Ledger ledger = driver.ledger(search.search);
    CHECK_EQ(ledger.generated_tokens, 3);
    CHECK_EQ(ledger.prompt_tokens, 4);
    CHECK_EQ(ledger.verifier_prompt_tokens, 5);
    CHECK(ledger.verifier_tokens >= 2);
    const auto decoded = driver.probe->rows + driver.verifier_probe->rows;
    CHECK(same(ledger.flops, 2.0 * 1000 * static_cast<double>(decoded)));
    CHECK_EQ(driver.stats().searches, 1);
    CHECK_EQ(driver.stats().verifier_tokens, driver.verifier_probe->rows.load());
}

TEST(a_judge_has_the_deadline_and_the_end_of_the_search_that_it_judges) {
    Driver::Setup setup = judging();
    setup.verifier.decode_time = std::chrono::milliseconds(2);
    Driver driver(setup);
    const auto search = driver.open("grow", 3);
    const auto judge = driver.open_judge(search, "judge", 4);
    const RequestId writing = driver.extend(judge.root, 1000);
    driver.stop(search.search);
    const Completion stopped = driver.wait(writing);
    CHECK(stopped.reason == FinishReason::deadline);
    const Completion late = driver.wait(driver.read_pair(judge.root, "+", "0"));
    CHECK(late.error == ErrorCode::none && late.scores.size() == 1 && std::isnan(late.scores[0]));

    const auto other = driver.open("grow", 3);
    const auto of_other = driver.open_judge(other, "judge", 4);
    const RequestId cancelled = driver.extend(of_other.root, 1000);
    driver.close_and_wait(other.search);
    CHECK(driver.wait(cancelled).error == ErrorCode::cancelled);
    CHECK(driver.wait(driver.open_judge(other, "judge", 4).request).error == ErrorCode::cancelled);
}

TEST(a_judge_keeps_to_the_budget_of_operations) {
    Driver driver(judging());
    const double budget = 2.0 * 1000 * 20;
    const auto search = driver.open("grow", 3, [&](OpenSearch & c) { c.flops_budget = budget; });
    const auto judge = driver.open_judge(search, "judge", 4);
    CHECK(driver.wait(driver.extend(judge.root, 1000)).reason == FinishReason::budget);
    const Completion unread = driver.wait(driver.read_pair(driver.condition(judge.root, "so "), "+", "0"));
    CHECK(unread.scores.size() == 1 && std::isnan(unread.scores[0]));
    CHECK(driver.wait(driver.extend(search.root, 1000)).reason == FinishReason::budget);
    const Ledger ledger = driver.ledger(search.search);
    CHECK(ledger.flops <= budget && ledger.flops > 0.8 * budget);
}

TEST(what_a_judge_writes_depends_on_what_it_is_asked_and_not_on_when) {
    const auto answers = [](bool turned) {
        Driver driver(judging());
        const auto search = driver.open("grow", 3);
        const auto judge = driver.open_judge(search, "judge", 4);
        const BranchId first = driver.condition(judge.root, turned ? "two" : "one");
        const BranchId second = driver.condition(judge.root, turned ? "one" : "two");
        const std::string one = text_of(driver.wait(driver.extend(driver.fork(turned ? second : first, 1)[0], 3)));
        const std::string two = text_of(driver.wait(driver.extend(driver.fork(turned ? first : second, 1)[0], 3)));
        return one + "|" + two;
    };
    CHECK_EQ(answers(false), answers(true));
}

TEST(a_search_without_a_judge_and_a_judge_itself_are_not_judged) {
    Driver plain;
    const auto alone = plain.open("grow", 3);
    CHECK(plain.wait(plain.open_judge(alone, "judge", 4).request).error == ErrorCode::invalid_option);
    Driver driver(judging());
    const auto search = driver.open("grow", 3);
    const auto judge = driver.open_judge(search, "judge", 4);
    CHECK(driver.wait(driver.open_judge(judge, "judge", 4).request).error == ErrorCode::invalid_option);
    CHECK(driver.wait(driver.open_judge(search, "judge", 4).request).error == ErrorCode::invalid_option);
    CHECK(driver.wait(driver.hidden_state(judge.search)).error == ErrorCode::invalid_option);
}

}  // namespace thinktree
