// Checks that what several threads answer about a decode's rows is, to the last bit, what one Sampler says of each.
#include "sampling/row_reader.h"

#include <algorithm>
#include <bit>
#include <random>
#include <thread>

#include "harness.h"

namespace {

using namespace thinktree;

constexpr size_t vocabulary = 2'500;

const RewardHead head({{3, 1, {0.5f, -1.0f, 2.0f}, {0.1f}}}, RewardHead::Activation::sigmoid, {0});

struct Rows {
    std::vector<std::vector<float>> logits, hidden;
    std::vector<OutputRow> outputs;

    Rows(size_t count, std::mt19937_64 & random) {
        std::normal_distribution<float> normal(0, 2.5f);
        logits.assign(count, std::vector<float>(vocabulary));
        hidden.assign(count, std::vector<float>(head.width()));
        for (size_t i = 0; i < count; ++i) {
            for (float & x : logits[i]) x = normal(random);
            for (float & x : hidden[i]) x = normal(random);
            outputs.push_back({logits[i], hidden[i]});
        }
    }
};

Answer alone(const Ask & ask, const Rows & rows) {
    const std::vector<float> & row = rows.logits[static_cast<size_t>(ask.row)];
    if (const Draw * draw = std::get_if<Draw>(&ask.what)) {
        const Sample sample = Sampler().sample(row, draw->options, draw->uniform);
        return {sample.token, sample.log_probability};
    }
    if (const LogProbability * known = std::get_if<LogProbability>(&ask.what)) {
        return {-1, log_probability(row, known->token)};
    }
    if (const Reward * reward = std::get_if<Reward>(&ask.what)) {
        return {-1, (*reward->head)(rows.hidden[static_cast<size_t>(ask.row)])};
    }
    const auto & [a, b] = std::get<PairProbability>(ask.what);
    return {-1, pair_probability(row, a, b)};
}

bool same_bits(const Answer & a, const Answer & b) {
    return a.token == b.token && std::bit_cast<uint32_t>(a.value) == std::bit_cast<uint32_t>(b.value);
}

Ask random_ask(int32_t row, std::mt19937_64 & random) {
    const auto token = [&] { return static_cast<Token>(random() % vocabulary); };
    switch (random() % 6) {
        case 0: return {row, LogProbability{token()}};
        case 1: return {row, PairProbability{token(), token()}};
        case 2: return {row, Reward{&head}};
        default: break;
    }
    const std::vector<SamplerOptions> all_options{
        {0.8f, 0, 1.0f, 0.0f}, {0.0f, 0, 1.0f, 0.0f}, {0.8f, 40, 0.95f, 0.05f}, {1.3f, 0, 0.9f, 0.0f}};
    return {row, Draw{all_options[random() % all_options.size()],
                      std::uniform_real_distribution<double>(1e-9, 1 - 1e-9)(random)}};
}

void read(RowReader & reader, size_t threads, const std::vector<Ask> & asks, const Rows & rows) {
    reader.begin(asks, rows.outputs);
    std::vector<std::thread> others;
    for (size_t i = 1; i < threads; ++i) others.emplace_back([&, i] { reader.work(i); });
    reader.work(0);
    for (std::thread & other : others) other.join();
}

TEST(threads_answer_what_one_sampler_says) {
    std::mt19937_64 random(1);
    for (const size_t threads : {1u, 2u, 5u}) {
        RowReader reader(threads);
        for (int round = 0; round < 20; ++round) {
            const Rows rows(1 + random() % 40, random);
            std::vector<Ask> asks;
            for (size_t i = 0; i < rows.logits.size(); ++i) {  // some rows by nobody, some by many, some in two places
                for (size_t n = random() % 4; n > 0; --n) asks.push_back(random_ask(static_cast<int32_t>(i), random));
            }
            if (round % 2 == 0) std::shuffle(asks.begin(), asks.end(), random);
            read(reader, threads, asks, rows);
            CHECK_EQ(reader.answers().size(), asks.size());
            for (size_t i = 0; i < asks.size(); ++i) CHECK(same_bits(reader.answers()[i], alone(asks[i], rows)));
        }
    }
}

TEST(answers_of_an_earlier_decode_are_gone) {
    std::mt19937_64 random(2);
    const Rows rows(3, random);
    RowReader reader(2);
    read(reader, 2, {{0, LogProbability{1}}, {2, LogProbability{1}}}, rows);
    read(reader, 2, {}, rows);
    CHECK(reader.answers().empty());
}

TEST(a_broken_row_spoils_only_its_own_answers) {
    std::mt19937_64 random(3);
    Rows rows(3, random);
    rows.logits[1][7] = std::numeric_limits<float>::quiet_NaN();
    const Draw draw{{0.8f, 0, 1.0f, 0.0f}, 0.5};
    RowReader reader(2);
    read(reader, 2, {{0, draw}, {1, draw}, {1, LogProbability{3}}, {2, draw}}, rows);
    CHECK(reader.answers()[0].token >= 0);
    CHECK_EQ(reader.answers()[1].token, -1);
    CHECK(reader.answers()[2].value != reader.answers()[2].value);
    CHECK(reader.answers()[3].token >= 0);
}

}  // namespace
