#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/fast_exp.h"

namespace thinktree {

namespace {

// Rows are summed in blocks: each in float lanes that vectorise, then in double. A draw finds its block first.
constexpr size_t block_size = 1024;
constexpr size_t lanes = 16;

float max_of(std::span<const float> row) {
    float lane[lanes];
    std::fill(lane, lane + lanes, -std::numeric_limits<float>::infinity());
    size_t i = 0;
    for (; i + lanes <= row.size(); i += lanes) {
        for (size_t j = 0; j < lanes; ++j) lane[j] = row[i + j] > lane[j] ? row[i + j] : lane[j];
    }
    float top = *std::max_element(lane, lane + lanes);
    for (; i < row.size(); ++i) top = std::max(top, row[i]);
    return top;
}

// Sum of exp((x - top) * scale).
double exp_sum(std::span<const float> row, float top, float scale) {
    float lane[lanes] = {};
    size_t i = 0;
    for (; i + lanes <= row.size(); i += lanes) {
        for (size_t j = 0; j < lanes; ++j) lane[j] += fast_exp((row[i + j] - top) * scale);
    }
    double sum = 0;
    for (const float x : lane) sum += static_cast<double>(x);
    for (; i < row.size(); ++i) sum += static_cast<double>(fast_exp((row[i] - top) * scale));
    return sum;
}

double exp_sum_in_blocks(std::span<const float> row, float top, float scale, std::vector<double> * sums) {
    double total = 0;
    for (size_t begin = 0; begin < row.size(); begin += block_size) {
        const double sum = exp_sum(row.subspan(begin, std::min(block_size, row.size() - begin)), top, scale);
        total += sum;
        if (sums != nullptr) sums->push_back(sum);
    }
    return total;
}

// Truncation ranks tokens without sorting them: logits fall into buckets of equal width below the largest, and only
// the bucket that holds the cut is put in order. Below `bucket_range` a token's share is under 1e-13: one bucket.
constexpr size_t bucket_count = 1024;
constexpr float bucket_range = 32.0f;

size_t bucket_of(float logit, float top) {
    const float depth = (top - logit) * (static_cast<float>(bucket_count) / bucket_range);
    return depth < static_cast<float>(bucket_count - 1) ? static_cast<size_t>(depth) : bucket_count - 1;
}

}  // namespace

Sample Sampler::sample(std::span<const float> logits, const SamplerOptions & options, double uniform) {
    const float top = max_of(logits);
    block_sums_.clear();
    const double sum = exp_sum_in_blocks(logits, top, 1.0f, &block_sums_);
    if (!std::isfinite(top) || !std::isfinite(sum)) return {-1, 0.0f};

    const bool truncated = options.min_p > 0.0f || options.top_p < 1.0f ||
                           (options.top_k > 0 && static_cast<size_t>(options.top_k) < logits.size());
    Token token;
    if (options.temperature <= 0.0f || options.top_k == 1) {
        token = static_cast<Token>(std::find(logits.begin(), logits.end(), top) - logits.begin());
    } else if (truncated) {
        token = sample_truncated(logits, top, options, uniform);
    } else {
        token = sample_all(logits, top, 1.0f / options.temperature, uniform);
    }
    return {token, logits[static_cast<size_t>(token)] - top - static_cast<float>(std::log(sum))};
}

// Inverse of the cumulative distribution: the block first, then the token in it.
Token Sampler::sample_all(std::span<const float> logits, float top, float inverse_temperature, double uniform) {
    double total = 0;
    if (inverse_temperature == 1.0f) {
        for (const double sum : block_sums_) total += sum;
    } else {
        block_sums_.clear();
        total = exp_sum_in_blocks(logits, top, inverse_temperature, &block_sums_);
    }
    double left = uniform * total;
    size_t block = 0;
    while (block + 1 < block_sums_.size() && left >= block_sums_[block]) left -= block_sums_[block++];

    const size_t end = std::min(logits.size(), (block + 1) * block_size);
    size_t last = block * block_size;
    for (size_t i = last; i < end; ++i) {
        const auto weight = static_cast<double>(fast_exp((logits[i] - top) * inverse_temperature));
        if (weight <= 1e-37) continue;  // a token of no probability is never the one that rounding leaves over
        last = i;
        if ((left -= weight) < 0) break;
    }
    return static_cast<Token>(last);
}

void Sampler::fill_buckets(std::span<const float> logits, float top, bool with_mass) {
    counts_.assign(bucket_count, 0);
    masses_.assign(bucket_count, 0.0);
    for (const float logit : logits) {
        const size_t bucket = bucket_of(logit, top);
        ++counts_[bucket];
        if (with_mass) masses_[bucket] += static_cast<double>(fast_exp(logit - top));
    }
}

// The cut inside a bucket: its `count`-th candidate, or where its mass reaches `mass`, whichever comes first.
Sampler::Cut Sampler::cut_at(std::span<const float> logits, float top, size_t bucket, size_t count, double mass) {
    candidates_.clear();
    for (size_t i = 0; i < logits.size(); ++i) {
        if (bucket_of(logits[i], top) == bucket) candidates_.push_back({static_cast<Token>(i), logits[i]});
    }
    std::sort(candidates_.begin(), candidates_.end(), [](const Candidate & a, const Candidate & b) {
        return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
    });
    size_t kept = 0;
    while (kept < std::min(count, candidates_.size()) - 1) {
        mass -= static_cast<double>(fast_exp(candidates_[kept].logit - top));
        if (mass <= 0) break;
        ++kept;
    }
    return candidates_[kept];
}

Token Sampler::sample_truncated(std::span<const float> logits, float top, const SamplerOptions & options,
                                double uniform) {
    constexpr auto no_limit = std::numeric_limits<double>::infinity();
    Cut cut{std::numeric_limits<Token>::max(), -std::numeric_limits<float>::infinity()};
    const bool by_count = options.top_k > 0 && static_cast<size_t>(options.top_k) < logits.size();
    const bool by_mass = options.top_p < 1.0f;
    const auto kept = [&](Token token, float logit) {
        return logit > cut.logit || (logit == cut.logit && token <= cut.token);
    };
    if (by_count || by_mass) fill_buckets(logits, top, by_mass);
    if (by_count) {
        size_t bucket = 0;
        auto count = static_cast<size_t>(options.top_k);
        while (counts_[bucket] < count) count -= counts_[bucket++];
        cut = cut_at(logits, top, bucket, count, no_limit);
    }
    if (by_mass) {
        // The share is of what top-k has left.
        double total = 0;
        for (size_t i = 0; i < logits.size(); ++i) {
            if (kept(static_cast<Token>(i), logits[i])) total += static_cast<double>(fast_exp(logits[i] - top));
        }
        double mass = static_cast<double>(options.top_p) * total;
        size_t bucket = 0;
        while (bucket + 1 < bucket_count && masses_[bucket] < mass) mass -= masses_[bucket++];
        while (counts_[bucket] == 0) --bucket;  // rounding may walk past the last bucket in use
        const Cut by_top_p = cut_at(logits, top, bucket, counts_[bucket], mass);
        if (kept(by_top_p.token, by_top_p.logit)) cut = by_top_p;
    }
    const float floor = options.min_p > 0.0f ? top + std::log(options.min_p) : -std::numeric_limits<float>::infinity();

    candidates_.clear();
    for (size_t i = 0; i < logits.size(); ++i) {
        if (logits[i] >= floor && kept(static_cast<Token>(i), logits[i])) {
            candidates_.push_back({static_cast<Token>(i), logits[i]});
        }
    }
    const auto weight = [&](const Candidate & c) {
        return static_cast<double>(fast_exp((c.logit - top) / options.temperature));
    };
    double total = 0;
    for (const Candidate & c : candidates_) total += weight(c);
    double left = uniform * total;
    for (const Candidate & c : candidates_) {
        if ((left -= weight(c)) < 0) return c.token;
    }
    return candidates_.back().token;
}

float log_probability(std::span<const float> logits, Token token) {
    const float top = max_of(logits);
    const double sum = exp_sum_in_blocks(logits, top, 1.0f, nullptr);
    if (!std::isfinite(top) || !std::isfinite(sum)) return std::numeric_limits<float>::quiet_NaN();
    return logits[static_cast<size_t>(token)] - top - static_cast<float>(std::log(sum));
}

float pair_probability(std::span<const float> logits, Token a, Token b) {
    return 1.0f / (1.0f + std::exp(logits[static_cast<size_t>(b)] - logits[static_cast<size_t>(a)]));
}

}  // namespace thinktree
