// Draws from rows of logits by the CUDA kernels against class Sampler on the same uniforms.
#include <limits>
#include <span>

#include "../native/harness.h"
#include "runner.h"
#include "sampling/sampler.h"

using namespace thinktree;

namespace {

std::vector<float> random_row(size_t n, float spread, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, spread);
    std::vector<float> row(n);
    for (float & x : row) x = normal(random);
    return row;
}

std::vector<Drawn> draw(const std::vector<float> & row, const std::vector<DrawOfRow> & draws, uint32_t seed = 1) {
    return runner::draw({row, static_cast<int>(row.size())}, draws, seed);
}

// Uniforms lie so that few are near the border of two tokens' shares: there the two may differ, by one token that is
// left over.
void compare(const std::vector<float> & row, const SamplerOptions & options, int draws = 12) {
    std::vector<DrawOfRow> asked;
    for (int i = 0; i < draws; ++i) {
        const double uniform = (i + 0.37) / draws;
        asked.push_back({uniform, 0, options.top_k, options.temperature, options.top_p, options.min_p});
    }
    const std::vector<Drawn> drawn = draw(row, asked);
    Sampler sampler;
    sampler.read(row, options);
    int different = 0;
    for (size_t i = 0; i < asked.size(); ++i) {
        const Sample expected = sampler.draw(asked[i].uniform);
        if (drawn[i].token != expected.token) {
            ++different;
            continue;
        }
        CHECK(std::fabs(drawn[i].log_probability - expected.log_probability) < 2e-5f);
    }
    if (different > 1) std::cout << "    " << different << " of " << draws << " tokens differ\n";
    CHECK(different <= 1);
}

}  // namespace

TEST(draws_of_the_device_are_the_samplers) {
    for (const size_t n : {1u, 31u, 1000u, 5003u}) {
        for (const float spread : {0.5f, 3.0f, 30.0f}) {
            const auto row = random_row(n, spread, static_cast<uint32_t>(n));
            compare(row, {1.0f, 0, 1.0f, 0.0f});
            compare(row, {0.8f, 40, 0.95f, 0.05f});
        }
    }
}

TEST(draws_of_the_device_with_one_truncation) {
    const auto row = random_row(4001, 4.0f, 7);
    for (const int k : {1, 2, 50, 4000, 4001, 9000}) compare(row, {1.3f, k, 1.0f, 0.0f});
    for (const float p : {0.0f, 0.2f, 0.9f, 0.9999f}) compare(row, {0.7f, 0, p, 0.0f});
    for (const float p : {0.001f, 0.3f, 1.0f, 2.0f}) compare(row, {1.0f, 0, 1.0f, p});
}

TEST(draws_of_the_device_from_a_whole_vocabulary) {
    const auto row = random_row(151936, 3.0f, 5);
    compare(row, {0.8f, 0, 1.0f, 0.0f}, 4);
    compare(row, {0.8f, 40, 0.95f, 0.05f}, 4);
    compare(row, {1.0f, 0, 0.9f, 0.0f}, 4);
}

TEST(draws_of_the_device_among_equal_logits) {
    std::vector<float> row(3000, 1.5f);
    compare(row, {1.0f, 7, 1.0f, 0.0f});
    compare(row, {1.0f, 0, 0.5f, 0.0f});
    for (size_t i = 0; i < row.size(); i += 2) row[i] = -2.0f;
    compare(row, {1.0f, 1600, 1.0f, 0.0f});
    compare(row, {1.0f, 0, 0.99f, 0.0f});
}

TEST(draws_of_the_device_with_tokens_that_cannot_be) {
    auto row = random_row(2500, 2.0f, 3);
    for (size_t i = 0; i < row.size(); ++i) {
        if (i % 5 != 0) row[i] = -std::numeric_limits<float>::infinity();
    }
    compare(row, {1.0f, 0, 1.0f, 0.0f});
    compare(row, {5.0f, 1000, 0.99f, 0.0f});
    compare(row, {1e30f, 0, 1.0f, 0.0f});
    compare(row, {1e-30f, 0, 1.0f, 0.0f});
}

TEST(a_device_is_greedy_at_temperature_0) {
    auto row = random_row(2500, 2.0f, 3);
    row[800] = row[100] = 50.0f;
    CHECK_EQ(draw(row, {{0.9, 0, 0, 0.0f, 1.0f, 0.0f}})[0].token, 100);
    CHECK_EQ(draw(row, {{0.9, 0, 0, NAN, 1.0f, 0.0f}})[0].token, 100);
    row[800] = -0.0f;
    std::fill(row.begin(), row.end(), -0.0f);
    row[9] = 0.0f;
    CHECK_EQ(draw(row, {{0.9, 0, 1, 1.0f, 1.0f, 0.0f}})[0].token, 0);
}

TEST(a_device_notices_broken_rows) {
    for (const float bad : {NAN, -NAN, INFINITY}) {
        auto row = random_row(2500, 2.0f, 3);
        row[1234] = bad;
        CHECK_EQ(draw(row, {{0.9, 0, 0, 1.0f, 1.0f, 0.0f}})[0].token, -1);
        CHECK_EQ(draw(row, {{0.9, 0, 40, 0.8f, 0.9f, 0.0f}})[0].token, -1);
    }
    CHECK_EQ(draw(std::vector<float>(100, -INFINITY), {{0.5, 0, 0, 1.0f, 1.0f, 0.0f}})[0].token, -1);
}

TEST(frequencies_of_the_device_are_the_distributions) {
    const auto row = random_row(12, 1.0f, 11);
    std::vector<DrawOfRow> asked;
    std::mt19937 random(1);
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    constexpr int draws = 600;
    for (int i = 0; i < draws; ++i) asked.push_back({uniform(random), 0, 0, 1.0f, 1.0f, 0.0f});
    std::vector<double> found(row.size());
    const auto drawn = draw(row, asked, 0);
    for (const Drawn & d : drawn) found[static_cast<size_t>(d.token)] += 1.0 / draws;
    double chi = 0;
    for (size_t i = 0; i < row.size(); ++i) {
        const double p = std::exp(static_cast<double>(row[i] - drawn[0].log_sum_exp));
        chi += draws * (found[i] - p) * (found[i] - p) / p;
    }
    CHECK(chi < 37);  // 11 degrees of freedom: p = 1e-4
}

TEST(sums_of_rows_on_the_device) {
    const auto row = random_row(5003, 3.0f, 2);
    double top = -1e30, z = 0, entropy = 0;
    for (const float x : row) top = std::max(top, static_cast<double>(x));
    for (const float x : row) z += std::exp(static_cast<double>(x) - top);
    for (const float x : row) {
        const double p = std::exp(static_cast<double>(x) - top) / z;
        if (p > 0) entropy -= p * std::log(p);
    }
    const Drawn drawn = draw(row, {{0.5, 0, 0, 1.0f, 1.0f, 0.0f}})[0];
    CHECK(std::fabs(drawn.top - top) < 1e-6);
    CHECK(std::fabs(drawn.log_sum_exp - (top + std::log(z))) < 1e-5);
    CHECK(std::fabs(drawn.entropy - entropy) < 1e-4);
}

TEST(log_probabilities_and_pairs_on_the_device) {
    const runner::Rows rows{random_row(3 * 1200, 3.0f, 4), 1200};
    const std::vector<TokenOfRow> tokens{{0, 5}, {2, 1199}, {1, 0}};
    const std::vector<PairOfRow> pairs{{0, 5, 6}, {2, 0, 1199}, {1, 7, 8}};
    const auto found = runner::log_probabilities(rows, tokens);
    const auto probabilities = runner::pair_probabilities(rows, pairs);
    const auto row_of = [&](int32_t row) {
        return std::span(rows.logits).subspan(1200 * static_cast<size_t>(row), 1200);
    };
    for (size_t i = 0; i < 3; ++i) {
        CHECK(std::fabs(found[i] - log_probability(row_of(tokens[i].row), tokens[i].token)) < 1e-5f);
        CHECK(std::fabs(probabilities[i] - pair_probability(row_of(pairs[i].row), pairs[i].a, pairs[i].b)) < 1e-6f);
    }
}
