// Checks the sampler against a naive one that sorts: which tokens truncation keeps, with what probability each is
// drawn, and what log-probability is reported. sampler_edge_test.cpp has the broken and degenerate rows.
#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "harness.h"

namespace {

using namespace thinktree;
using Row = std::vector<float>;
constexpr float infinity = std::numeric_limits<float>::infinity();

// Probability of each token after top-k, top-p, min-p and temperature, by sorting, in double.
std::vector<double> naive_distribution(const Row & row, const SamplerOptions & options) {
    std::vector<size_t> order(row.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return row[a] > row[b]; });
    const double top = static_cast<double>(row[order[0]]);
    const auto weight = [&](size_t i, double t) { return std::exp((static_cast<double>(row[i]) - top) / t); };
    if (options.temperature <= 0) order.resize(1);
    if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(options.top_k)));
    if (options.top_p < 1) {
        double total = 0, mass = 0;
        for (const size_t i : order) total += weight(i, 1);
        size_t kept = 0;
        while (kept < order.size() && (kept == 0 || mass < static_cast<double>(options.top_p) * total)) {
            mass += weight(order[kept++], 1);
        }
        order.resize(kept);
    }
    if (options.min_p > 0) {
        std::erase_if(order, [&](size_t i) { return weight(i, 1) < static_cast<double>(options.min_p); });
    }
    std::vector<double> p(row.size(), 0.0);
    double total = 0;
    const double t = options.temperature > 0 ? static_cast<double>(options.temperature) : 1;
    for (const size_t i : order) total += p[i] = weight(i, t);
    for (double & x : p) x /= total;
    return p;
}

double naive_log_probability(const Row & row, size_t token) {
    double sum = 0;
    for (const float x : row) sum += std::exp(static_cast<double>(x));
    return static_cast<double>(row[token]) - std::log(sum);
}

Row random_row(size_t n, std::mt19937_64 & random, float spread) {
    std::normal_distribution<float> normal(0, spread);
    Row row(n);
    for (float & x : row) x = normal(random);
    return row;
}

// The mass of the tokens where the sampler and the naive one disagree about the inverse of the same distribution.
// Draws are in order of the token, so each uniform has one right answer but within rounding of a boundary.
void check_draws(const Row & row, const SamplerOptions & options, int draws, std::mt19937_64 & random) {
    const std::vector<double> p = naive_distribution(row, options);
    std::vector<double> upto(p.size());
    std::partial_sum(p.begin(), p.end(), upto.begin());
    Sampler sampler;
    for (int i = 0; i < draws; ++i) {
        const double u = std::uniform_real_distribution<double>(1e-9, 1 - 1e-9)(random);
        const Sample sample = sampler.sample(row, options, u);
        const auto token = static_cast<size_t>(sample.token);
        if (sample.token < 0 || token >= row.size()) return harness::fail(__FILE__, __LINE__, "no such token");
        const double before = token == 0 ? 0 : upto[token - 1];
        const bool right = options.temperature <= 0 || options.top_k == 1
                               ? p[token] == 1.0
                               : p[token] > 0 && before <= u + 1e-5 && u <= upto[token] + 1e-5;
        if (!right) {
            harness::fail(__FILE__, __LINE__,
                          "token " + std::to_string(token) + " of p " + std::to_string(p[token]) + " drawn for " +
                              std::to_string(u) + " which belongs below " + std::to_string(upto[token]));
            return;
        }
        CHECK(std::abs(static_cast<double>(sample.log_probability) - naive_log_probability(row, token)) < 1e-5);
    }
}

SamplerOptions random_options(std::mt19937_64 & random) {
    const auto pick = [&](auto... values) {
        const std::array<float, sizeof...(values)> all{static_cast<float>(values)...};
        return all[random() % all.size()];
    };
    return {pick(0, 0.3, 0.8, 1, 1.7), static_cast<int32_t>(pick(0, 0, 1, 2, 5, 40, 1000)),
            pick(1, 1, 0.1, 0.5, 0.9, 0.99), pick(0, 0, 0.02, 0.3, 1)};
}

TEST(truncation_keeps_what_sorting_would_keep) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 1500; ++round) {
        const std::array<size_t, 7> sizes{1, 2, 3, 17, 100, 1025, 3000};
        Row row = random_row(sizes[random() % sizes.size()], random, 0.1f + static_cast<float>(random() % 60) / 10);
        if (random() % 3 == 0) {  // ties
            for (float & x : row) x = std::round(x);
        }
        if (random() % 3 == 0) {  // masked tokens
            for (size_t i = 1; i < row.size(); ++i) row[i] = random() % 2 ? row[i] : -infinity;
        }
        check_draws(row, random_options(random), 8, random);
    }
}

TEST(flat_rows_keep_the_first_tokens) {
    std::mt19937_64 random(2);
    for (const size_t n : {1u, 5u, 1024u, 1025u, 5000u}) {
        const Row row(n, 3.25f);
        check_draws(row, {1.0f, 3, 1.0f, 0.0f}, 10, random);
        check_draws(row, {1.0f, 0, 1.0f, 0.0f}, 10, random);
        check_draws(row, {0.5f, 0, 1.0f, 0.5f}, 10, random);
    }
    // A top-p whose cut falls between two tokens, so that rounding has no say in it.
    check_draws(Row(1000, -2.0f), {1.0f, 0, 0.2505f, 0.0f}, 100, random);
}

TEST(a_vocabulary_of_152k_is_sampled_like_a_small_one) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 6; ++round) {
        Row row = random_row(151936, random, 2.5f);
        for (int i = 0; i < 5; ++i) row[random() % row.size()] += 12;
        SamplerOptions options{0.7f, 0, 1.0f, 0.0f};
        if (round % 3 == 1) options.top_k = 40;
        if (round % 3 == 2) options.top_p = 0.9f, options.min_p = 0.01f;
        check_draws(row, options, 3, random);
    }
}

// Wilson-Hilferty: chi-square over its degrees of freedom, as a standard normal.
double chi_square_z(const std::vector<int> & seen, const std::vector<double> & p, int draws) {
    double chi = 0;
    int cells = 0;
    for (size_t i = 0; i < p.size(); ++i) {
        if (p[i] * draws < 5) continue;
        const double expected = p[i] * draws;
        chi += (seen[i] - expected) * (seen[i] - expected) / expected;
        ++cells;
    }
    const double k = cells - 1;
    if (k < 1) return 0;
    return (std::cbrt(chi / k) - (1 - 2 / (9 * k))) / std::sqrt(2 / (9 * k));
}

TEST(frequencies_follow_the_truncated_tempered_distribution) {
    std::mt19937_64 random(4);
    for (int round = 0; round < 40; ++round) {
        const Row row = random_row(60, random, 1.5f);
        SamplerOptions options = random_options(random);
        if (options.temperature <= 0) options.temperature = 1.3f;
        const std::vector<double> p = naive_distribution(row, options);
        std::vector<int> seen(row.size());
        Sampler sampler;
        constexpr int draws = 4000;
        for (int i = 0; i < draws; ++i) {
            const double u = std::uniform_real_distribution<double>()(random);
            ++seen[static_cast<size_t>(sampler.sample(row, options, u).token)];
        }
        CHECK(chi_square_z(seen, p, draws) < 4.5);
        for (size_t i = 0; i < p.size(); ++i) CHECK(p[i] > 0 || seen[i] == 0);
    }
}

TEST(greedy_takes_the_first_of_the_largest) {
    Sampler sampler;
    Row row = {1, 5, 3, 5, 5};
    for (const double u : {1e-9, 0.5, 1 - 1e-9}) {
        CHECK_EQ(sampler.sample(row, {0.0f, 0, 1.0f, 0.0f}, u).token, 1);
        CHECK_EQ(sampler.sample(row, {2.0f, 1, 1.0f, 0.0f}, u).token, 1);
        CHECK_EQ(sampler.sample(row, {-1.0f, 3, 0.5f, 0.5f}, u).token, 1);
    }
    row[4] = 5.5f;
    CHECK_EQ(sampler.sample(row, {0.0f, 0, 1.0f, 0.0f}, 0.5).token, 4);
}

TEST(log_probability_is_log_softmax) {
    std::mt19937_64 random(5);
    for (const size_t n : {1u, 2u, 15u, 16u, 17u, 1024u, 1040u, 32000u}) {
        Row row = random_row(n, random, 4);
        for (int i = 0; i < 5; ++i) {
            const size_t token = random() % n;
            const auto got = static_cast<double>(log_probability(row, static_cast<Token>(token)));
            CHECK(std::abs(got - naive_log_probability(row, token)) < 1e-5);
        }
    }
    CHECK_EQ(log_probability(Row{0, -infinity}, 1), -infinity);
}

TEST(a_pair_shares_probability_one) {
    const Row row = {2.0f, -1.0f, 500.0f, -500.0f, -infinity};
    CHECK(std::abs(pair_probability(row, 0, 1) - 1 / (1 + std::exp(-3.0f))) < 1e-6f);
    CHECK(std::abs(pair_probability(row, 0, 1) + pair_probability(row, 1, 0) - 1) < 1e-6f);
    CHECK_EQ(pair_probability(row, 2, 3), 1.0f);
    CHECK_EQ(pair_probability(row, 3, 2), 0.0f);
    CHECK_EQ(pair_probability(row, 4, 0), 0.0f);
}

}  // namespace
