// What RowAnswers brings back from a device is what a Sampler says of the same rows, in the order of the asks.
#include <algorithm>
#include <cmath>
#include <random>

#include "../native/harness.h"
#include "answers_runner.h"

using namespace thinktree;

namespace {

constexpr int vocabulary = 700;

runner::Rows random_rows(int count, std::mt19937 & random) {
    std::normal_distribution<float> normal(0.0f, 3.0f);
    runner::Rows rows{std::vector<float>(static_cast<size_t>(count * vocabulary)), vocabulary};
    for (float & x : rows.logits) x = normal(random);
    return rows;
}

Ask random_ask(int rows, std::mt19937 & random) {
    const auto row = static_cast<int32_t>(random() % static_cast<unsigned>(rows));
    const auto token = [&] { return static_cast<Token>(random() % vocabulary); };
    switch (random() % 4) {
        case 0: return {row, LogProbability{token()}};
        case 1: return {row, PairProbability{token(), token()}};
        default: break;
    }
    const std::vector<SamplerOptions> all_options{
        {0.8f, 0, 1.0f, 0.0f}, {0.0f, 0, 1.0f, 0.0f}, {0.8f, 40, 0.95f, 0.05f}, {1.3f, 0, 0.9f, 0.0f}};
    return {row, Draw{all_options[random() % all_options.size()],
                      std::uniform_real_distribution<double>(1e-9, 1 - 1e-9)(random)}};
}

Answer on_host(const Ask & ask, const runner::Rows & rows) {
    Sampler sampler;
    Answer found;
    const auto logits = std::span(rows.logits).subspan(static_cast<size_t>(ask.row) * vocabulary, vocabulary);
    answer({&ask, 1}, {logits, {}}, sampler, {&found, 1});
    return found;
}

// How many draws gave another token: a uniform may lie between two but for rounding.
int compare(const std::vector<Ask> & asks, const runner::Rows & rows, const RowAnswers & answers) {
    CHECK_EQ(answers.answers().size(), asks.size());
    int different = 0;
    for (size_t i = 0; i < asks.size(); ++i) {
        const Answer found = answers.answers()[i], expected = on_host(asks[i], rows);
        different += found.token != expected.token;
        if (found.token == expected.token) CHECK(std::fabs(found.value - expected.value) < 2e-5f);
    }
    return different;
}

}  // namespace

TEST(answers_of_the_device_are_in_the_order_of_the_asks) {
    std::mt19937 random(1);
    RowAnswers answers;
    int different = 0;
    for (const int count : {1, 3, 40, 8}) {  // of asks; memory is used again
        const runner::Rows rows = random_rows(1 + count / 3, random);
        std::vector<Ask> asks;
        for (int i = 0; i < count; ++i) asks.push_back(random_ask(1 + count / 3, random));
        CHECK(runner::read(answers, rows, asks));
        different += compare(asks, rows, answers);
    }
    CHECK(different <= 1);
}

TEST(answers_of_the_device_of_one_kind_alone) {
    std::mt19937 random(2);
    const runner::Rows rows = random_rows(4, random);
    RowAnswers answers;
    const Draw draw{{1.0f, 0, 1.0f, 0.0f}, 0.3};
    for (const std::vector<Ask> & asks :
         {std::vector<Ask>{{3, draw}, {0, draw}}, std::vector<Ask>{{2, LogProbability{5}}, {1, LogProbability{699}}},
          std::vector<Ask>{{1, PairProbability{4, 5}}, {3, PairProbability{5, 4}}}}) {
        CHECK(runner::read(answers, rows, asks));
        CHECK_EQ(compare(asks, rows, answers), 0);
    }
}

TEST(who_asks_a_device_nothing_gets_no_answers) {
    std::mt19937 random(3);
    const runner::Rows rows = random_rows(1, random);
    RowAnswers answers;
    CHECK(runner::read(answers, rows, {{0, LogProbability{1}}}));
    CHECK(runner::read(answers, rows, {}));
    CHECK(answers.answers().empty());
}

TEST(answers_to_more_asks_than_the_first_memory_holds) {
    std::mt19937 random(4);
    const runner::Rows rows = random_rows(2, random);
    RowAnswers answers;
    std::vector<Ask> asks{{1, LogProbability{7}}};
    CHECK(runner::read(answers, rows, asks));
    for (int i = 0; i < 5000; ++i) asks.push_back({i % 2, PairProbability{i % vocabulary, (i * 7) % vocabulary}});
    CHECK(runner::read(answers, rows, asks));
    CHECK_EQ(compare(asks, rows, answers), 0);
}

TEST(a_broken_row_on_the_device_spoils_only_its_own_answers) {
    std::mt19937 random(5);
    runner::Rows rows = random_rows(3, random);
    rows.logits[vocabulary + 7] = NAN;
    const Draw draw{{0.8f, 0, 1.0f, 0.0f}, 0.5};
    RowAnswers answers;
    CHECK(runner::read(answers, rows, {{0, draw}, {1, draw}, {1, LogProbability{3}}, {2, draw}}));
    CHECK(answers.answers()[0].token >= 0);
    CHECK_EQ(answers.answers()[1].token, -1);
    CHECK(answers.answers()[2].value != answers.answers()[2].value);
    CHECK(answers.answers()[3].token >= 0);
}
