// Checks the hidden state at the end of a prompt: that of the prompt's tokens whatever else is going on, for one
// prefill or, afterwards, one token.
#include "driver.h"
#include "naive.h"

namespace {

using namespace thinktree;

std::vector<float> naive_hidden(const std::string & prompt) {
    const auto model = make_fake_model({});
    auto context = model->make_context({}, [] { return false; });
    std::vector<BatchRow> rows;
    for (const Token token : model->tokenize(template_text(prompt), true)) {
        rows.push_back({token, static_cast<Pos>(rows.size()), 0, true});
    }
    CHECK(context->decode_hidden(rows) == DecodeStatus::ok);
    const float * hidden = context->hidden(static_cast<int32_t>(rows.size()) - 1);
    return {hidden, hidden + model->width()};
}

TEST_OF_CELLS(a_hidden_state_costs_the_prefill_that_the_search_needs_anyway) {
    for (const std::string prompt : {"7", "1+2=", "a longer prompt, in several batches"}) {
        Driver::Setup setup;
        setup.generator.batch = 16;
        setup.generator.tree_rows = 8;
        Driver driver(setup);
        NaiveModel naive;
        const auto opened = driver.open(prompt, 3);
        CHECK(driver.wait(driver.hidden_state(opened.search)).hidden == naive_hidden(prompt));
        const auto size = static_cast<int64_t>(prompt.size());
        CHECK_EQ(driver.ledger(opened.search).prompt_tokens, size);
        NaiveBranch alone = NaiveBranch::root(naive, prompt, 3);
        alone.extend(naive, 99, {});
        CHECK_EQ(text_of(driver.wait(driver.extend(opened.root, 99))), alone.text());
        Ledger ledger = driver.ledger(opened.search);
        CHECK_EQ(ledger.prompt_tokens, size);
        CHECK_EQ(ledger.recomputed_tokens, 0);
        CHECK_EQ(driver.probe->rows.load(), static_cast<int64_t>(alone.path.size()));
        // The prompt is in the cache: one token more.
        CHECK(driver.wait(driver.hidden_state(opened.search)).hidden == naive_hidden(prompt));
        ledger = driver.ledger(opened.search);
        CHECK_EQ(ledger.prompt_tokens, size);
        CHECK_EQ(ledger.recomputed_tokens, 1);
        CHECK_EQ(ledger.flops, 2000.0 * static_cast<double>(driver.probe->rows));
        CHECK_EQ(driver.stats().kv_cells, driver.probe->cells_used.load());
    }
}

// Many at once, beside branches of the same prompts, with faults and in a cache too small for all.
TEST(hidden_states_come_whatever_else_is_going_on) {
    for (const int32_t cells : {4096, 130}) {
        for (const int32_t fail_every : {0, 5}) {
            Driver::Setup setup;
            setup.generator.cells = cells;
            setup.generator.positions = std::min(cells, 1024);
            setup.generator.sequences = cells == 130 ? 4 : 64;
            setup.generator.fail_every = fail_every;
            Driver driver(setup);
            std::vector<std::pair<std::string, RequestId>> asked;
            std::vector<RequestId> requests;
            for (uint64_t i = 0; i < 30; ++i) {
                const std::string prompt = std::string(1 + i % 5 * 10, 'q') + std::to_string(i);
                const auto opened = driver.open(prompt, i);
                if (i % 3 == 0) requests.push_back(driver.extend(opened.root, 2));
                for (uint64_t n = 0; n < 1 + i % 2; ++n) {
                    asked.emplace_back(prompt, driver.hidden_state(opened.search));
                }
                if (i % 3 == 1) requests.push_back(driver.extend(driver.fork(opened.root, 1)[0], 2));
            }
            int64_t answered = 0;
            for (const auto & [prompt, request] : asked) {
                const Completion completion = driver.wait(request, 20);
                if (fail_every > 0 && completion.error == ErrorCode::decode_failed) continue;
                CHECK(completion.error == ErrorCode::none);
                CHECK(completion.hidden == naive_hidden(prompt));
                ++answered;
            }
            CHECK(answered >= static_cast<int64_t>(asked.size()) / 2);
            for (const RequestId request : requests) driver.wait(request, 20);
        }
    }
}

TEST(a_prompt_that_cannot_be_decoded_fails_alone) {
    Driver::Setup setup;
    setup.generator.poison_token = 'x';
    Driver driver(setup);
    const auto sound = driver.open("sound", 1), broken = driver.open("broken x", 1), at_end = driver.open("endx", 1);
    const RequestId a = driver.hidden_state(sound.search), b = driver.hidden_state(broken.search),
                    c = driver.hidden_state(at_end.search);
    CHECK(driver.wait(a).hidden == naive_hidden("sound"));
    CHECK(driver.wait(b).error == ErrorCode::decode_failed);
    CHECK(driver.wait(c).error == ErrorCode::decode_failed);
}

TEST(a_hidden_state_that_cannot_be_had_says_why) {
    Driver::Setup setup;
    setup.generator.decode_time = std::chrono::milliseconds(20);
    Driver driver(setup);
    const auto late = driver.open("late", 1, [](OpenSearch & c) { c.deadline_ms = 5; });
    CHECK(driver.wait(driver.hidden_state(late.search)).error == ErrorCode::exhausted);
    const auto poor = driver.open("poor", 1, [](OpenSearch & c) { c.flops_budget = 7999; });
    CHECK(driver.wait(driver.hidden_state(poor.search)).error == ErrorCode::exhausted);
    const auto just = driver.open("just", 1, [](OpenSearch & c) { c.flops_budget = 8000; });
    CHECK(driver.wait(driver.hidden_state(just.search)).hidden == naive_hidden("just"));
    CHECK(driver.wait(driver.hidden_state(just.search)).error == ErrorCode::exhausted);
    CHECK_EQ(driver.ledger(just.search).flops, 8000.0);
    const auto closed = driver.open("closed", 1);
    const RequestId asked = driver.next_request(), close = driver.next_request();
    driver.submit({HiddenState{asked, closed.search}, CloseSearch{close, closed.search}});
    CHECK(driver.wait(close).error == ErrorCode::none);
    CHECK(driver.wait(asked).error == ErrorCode::cancelled);
    CHECK(driver.wait(driver.hidden_state(closed.search)).error == ErrorCode::cancelled);
    const auto released = driver.open("released", 1);
    driver.release(released.root);
    CHECK(driver.wait(driver.hidden_state(released.search)).error == ErrorCode::unknown_branch);
}

}  // namespace
