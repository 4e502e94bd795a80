// Owns: what sampling one token for each of 64 branches costs, against a plain sort and llama.cpp's own sampler chain.
// Must not know: the engine; the rows are noise of the spread that real logits have. Thread: one.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "llama.h"
#include "sampling/sampler.h"

namespace {

using thinktree::SamplerOptions;
using thinktree::Token;

constexpr size_t rows = 64;
constexpr size_t vocabulary = 151'936;
constexpr size_t most_passes = 7;
constexpr std::chrono::seconds enough{2};
constexpr double draw = 0.37;

struct Setting {
    const char * name;
    SamplerOptions options;
};

const Setting settings[] = {
    {"temperature 0.8", {0.8f, 0, 1.0f, 0.0f}},
    {"top-k 40", {0.8f, 40, 1.0f, 0.0f}},
    {"top-p 0.95", {0.8f, 0, 0.95f, 0.0f}},
    {"min-p 0.05", {0.8f, 0, 1.0f, 0.05f}},
    {"top-k 40, top-p 0.95, min-p 0.05", {0.8f, 40, 0.95f, 0.05f}},
};

std::vector<float> random_logits() {
    std::mt19937 generator(1);
    std::normal_distribution<float> normal(0.0f, 2.5f);
    std::vector<float> logits(rows * vocabulary);
    for (float & logit : logits) logit = normal(generator);
    return logits;
}

std::span<const float> row_of(const std::vector<float> & logits, size_t row) {
    return {logits.data() + row * vocabulary, vocabulary};
}

// As one would write it first: sort everything, cut, draw.
Token sample_sorted(std::span<const float> logits, const SamplerOptions & options) {
    std::vector<Token> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](Token a, Token b) { return logits[a] > logits[b]; });
    const float top = logits[order.front()];
    std::vector<double> weights(order.size());
    double total = 0;
    for (size_t i = 0; i < order.size(); ++i)
        total += weights[i] = std::exp(static_cast<double>(logits[order[i]] - top));
    size_t kept = options.top_k > 0 ? static_cast<size_t>(options.top_k) : order.size();
    if (kept < order.size())
        total = std::accumulate(weights.begin(), weights.begin() + static_cast<ptrdiff_t>(kept), 0.0);
    double mass = 0;
    for (size_t i = 0; i < kept; ++i) {
        if (weights[i] < static_cast<double>(options.min_p) || mass >= static_cast<double>(options.top_p) * total) {
            kept = i;
            break;
        }
        mass += weights[i];
    }
    double sum = 0;
    for (size_t i = 0; i < kept; ++i) {
        sum += weights[i] = std::exp(static_cast<double>((logits[order[i]] - top) / options.temperature));
    }
    double left = draw * sum;
    for (size_t i = 0; i < kept; ++i) {
        if ((left -= weights[i]) < 0) return order[i];
    }
    return order.front();
}

// The chain that node-llama-cpp builds: no sampler for what is off.
class LlamaChain {
public:
    explicit LlamaChain(const SamplerOptions & options)
        : chain_(llama_sampler_chain_init(llama_sampler_chain_default_params()), llama_sampler_free) {
        const auto add = [&](llama_sampler * sampler) { llama_sampler_chain_add(chain_.get(), sampler); };
        if (options.top_k > 0) add(llama_sampler_init_top_k(options.top_k));
        if (options.top_p < 1.0f) add(llama_sampler_init_top_p(options.top_p, 1));
        if (options.min_p > 0.0f) add(llama_sampler_init_min_p(options.min_p, 1));
        add(llama_sampler_init_temp(options.temperature));
        add(llama_sampler_init_dist(1));
    }

    Token sample(std::span<const float> logits) {
        candidates_.resize(logits.size());
        for (size_t i = 0; i < logits.size(); ++i) candidates_[i] = {static_cast<Token>(i), logits[i], 0.0f};
        llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
        llama_sampler_apply(chain_.get(), &array);
        return array.data[array.selected].id;
    }

private:
    std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> chain_;
    std::vector<llama_token_data> candidates_;
};

int64_t checksum = 0;  // keeps the compiler from dropping work whose result nobody reads

// Milliseconds for all rows: the median of several passes, or of the one that took long.
double median_ms(const std::vector<float> & logits, const std::function<int64_t(std::span<const float>)> & each) {
    std::vector<double> times;
    checksum += each(row_of(logits, 0));  // memory is allocated now
    const auto started = std::chrono::steady_clock::now();
    while (times.empty() || (times.size() < most_passes && std::chrono::steady_clock::now() - started < enough)) {
        const auto begun = std::chrono::steady_clock::now();
        for (size_t row = 0; row < rows; ++row) checksum += each(row_of(logits, row));
        const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begun;
        times.push_back(time.count());
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    const std::vector<float> logits = random_logits();
    thinktree::Sampler sampler;
    std::printf("\nSampling %zu rows of %zu logits on one thread: median milliseconds\n\n", rows, vocabulary);
    std::printf("| %-32s | thinktree, with log-probability | llama.cpp's chain | sorting |\n", "");
    std::printf(
        "| -------------------------------- | ------------------------------: | ----------------: | ------: |\n");
    for (const auto & [name, options] : settings) {
        LlamaChain chain(options);
        const double ours = median_ms(logits, [&](auto row) { return sampler.sample(row, options, draw).token; });
        const double theirs = median_ms(logits, [&](auto row) { return chain.sample(row); });
        const double sorted = median_ms(logits, [&](auto row) { return sample_sorted(row, options); });
        std::printf("| %-32s | %31.2f | %17.2f | %7.0f |\n", name, ours, theirs, sorted);
    }
    const double known =
        median_ms(logits, [](auto row) { return static_cast<int64_t>(thinktree::log_probability(row, 7)); });
    std::printf("| %-32s | %31.2f | %17s | %7s |\n", "log-probability of a known token", known, "-", "-");
    std::printf("\n(checksum %lld)\n", static_cast<long long>(checksum));
    return 0;
}
