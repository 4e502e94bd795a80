#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
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

// top-p ranks tokens without sorting them: logits fall into buckets of equal width below the largest, and only the
// bucket that holds the cut is put in order. Below `bucket_range` a token's share is under 1e-13: one bucket.
constexpr size_t bucket_count = 1024;
constexpr float bucket_range = 32.0f;

// A token of no probability is never the one that rounding leaves over.
constexpr double no_share = 1e-37;

// Of any positive temperature, so that neither the largest logit nor a masked one becomes NaN.
float inverse(float temperature) { return 1.0f / std::clamp(temperature, 1e-30f, 1e30f); }

size_t bucket_of(float logit, float top) {
    const float depth = (top - logit) * (static_cast<float>(bucket_count) / bucket_range);
    return depth < static_cast<float>(bucket_count - 1) ? static_cast<size_t>(depth) : bucket_count - 1;
}

}  // namespace

void Sampler::read(std::span<const float> logits, const SamplerOptions & options) {
    logits_ = logits;
    top_ = max_of(logits);
    block_sums_.clear();
    total_ = exp_sum_in_blocks(logits, top_, 1.0f, &block_sums_);
    broken_ = !std::isfinite(top_) || !std::isfinite(total_);
    if (broken_) return;
    log_sum_ = static_cast<float>(std::log(total_));

    greedy_ = -1;
    if (!(options.temperature > 0.0f) || options.top_k == 1) {
        greedy_ = static_cast<Token>(std::find(logits.begin(), logits.end(), top_) - logits.begin());
        return;
    }
    inverse_temperature_ = inverse(options.temperature);
    truncated_ = options.min_p > 0.0f || options.top_p < 1.0f ||
                 (options.top_k > 0 && static_cast<size_t>(options.top_k) < logits.size());
    if (truncated_) {
        truncate(options);
    } else if (inverse_temperature_ != 1.0f) {
        block_sums_.clear();
        total_ = exp_sum_in_blocks(logits, top_, inverse_temperature_, &block_sums_);
    }
}

Sample Sampler::draw(double uniform) const {
    if (broken_) return {-1, 0.0f};
    const Token token = greedy_ >= 0 ? greedy_ : truncated_ ? draw_of_candidates(uniform) : draw_of_all(uniform);
    return {token, logits_[static_cast<size_t>(token)] - top_ - log_sum_};
}

bool Sampler::ranks_before(const Candidate & a, const Candidate & b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

template <typename Wanted>
void Sampler::gather(size_t begin, size_t end, Wanted wanted) {
    for (size_t i = begin; i < std::min(end, logits_.size()); ++i) {
        if (wanted(logits_[i])) candidates_.push_back({static_cast<Token>(i), logits_[i]});
    }
}

// Inverse of the cumulative distribution: the block first, then the token in it.
Token Sampler::draw_of_all(double uniform) const {
    double left = uniform * total_;
    size_t block = 0;
    for (size_t i = 0; i < block_sums_.size(); ++i) {
        if (block_sums_[i] <= no_share * block_size) continue;
        block = i;
        if (left < block_sums_[i]) break;
        left -= block_sums_[i];
    }

    const size_t end = std::min(logits_.size(), (block + 1) * block_size);
    size_t last = block * block_size;
    for (size_t i = last; i < end; ++i) {
        const auto weight = static_cast<double>(fast_exp((logits_[i] - top_) * inverse_temperature_));
        if (weight <= no_share) continue;
        last = i;
        if ((left -= weight) < 0) break;
    }
    return static_cast<Token>(last);
}

Token Sampler::draw_of_candidates(double uniform) const {
    double left = uniform * total_;
    Token last = candidates_.front().token;
    for (size_t i = 0; i < candidates_.size(); ++i) {
        if (weights_[i] <= no_share) continue;
        last = candidates_[i].token;
        if ((left -= weights_[i]) < 0) break;
    }
    return last;
}

// Leaves the k best candidates, in order. A group's largest logit stands for it: the k-th largest of those is no
// larger than the k-th largest logit, so that only groups that reach it are looked into.
void Sampler::keep_top_k(size_t k) {
    constexpr size_t group = 64;
    maxima_.clear();
    for (size_t begin = 0; begin < logits_.size(); begin += group) {
        maxima_.push_back(max_of(logits_.subspan(begin, std::min(group, logits_.size() - begin))));
    }
    float least = -std::numeric_limits<float>::infinity();
    if (k <= maxima_.size()) {
        ranked_maxima_ = maxima_;
        const auto kth = ranked_maxima_.begin() + static_cast<std::ptrdiff_t>(k - 1);
        std::nth_element(ranked_maxima_.begin(), kth, ranked_maxima_.end(), std::greater<>());
        least = *kth;
    }
    for (size_t g = 0; g < maxima_.size(); ++g) {
        if (maxima_[g] >= least) gather(g * group, (g + 1) * group, [&](float x) { return x >= least; });
    }
    const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(candidates_.begin(), end - 1, candidates_.end(), ranks_before);
    candidates_.erase(end, candidates_.end());
    std::sort(candidates_.begin(), candidates_.end(), ranks_before);
}

// Leaves the fewest candidates of a whole row whose mass reaches `share` of it.
void Sampler::keep_top_p(double share) {
    masses_.assign(bucket_count, 0.0);
    for (const float logit : logits_) masses_[bucket_of(logit, top_)] += static_cast<double>(fast_exp(logit - top_));
    double total = 0;
    for (const double mass : masses_) total += mass;
    double left = share * total;
    size_t cut = 0;
    while (cut + 1 < bucket_count && masses_[cut] < left) left -= masses_[cut++];
    while (masses_[cut] == 0) --cut;  // rounding may walk past the last bucket in use

    gather(0, logits_.size(), [&](float x) { return bucket_of(x, top_) == cut; });
    std::sort(candidates_.begin(), candidates_.end(), ranks_before);
    cut_at_mass(left);
    const Candidate last = candidates_.back();
    candidates_.clear();
    for (size_t i = 0; i < logits_.size(); ++i) {
        const Candidate c{static_cast<Token>(i), logits_[i]};
        if (!ranks_before(last, c)) candidates_.push_back(c);
    }
}

// Of ordered candidates, leaves the first ones whose mass reaches `mass`, and one at least.
void Sampler::cut_at_mass(double mass) {
    size_t kept = 0;
    while (kept < candidates_.size()) {
        mass -= static_cast<double>(fast_exp(candidates_[kept++].logit - top_));
        if (mass <= 0) break;
    }
    candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(kept), candidates_.end());
}

void Sampler::truncate(const SamplerOptions & options) {
    candidates_.clear();
    const float floor =
        options.min_p > 0.0f ? top_ + std::log(std::min(options.min_p, 1.0f)) : -std::numeric_limits<float>::infinity();
    if (options.top_k > 0 && static_cast<size_t>(options.top_k) < logits_.size()) {
        keep_top_k(static_cast<size_t>(options.top_k));
        if (options.top_p < 1.0f) {  // a share of what top-k has left
            double total = 0;
            for (const Candidate & c : candidates_) total += static_cast<double>(fast_exp(c.logit - top_));
            cut_at_mass(static_cast<double>(options.top_p) * total);
        }
        // The draw goes through the tokens in their own order, whatever the truncation.
        std::sort(candidates_.begin(), candidates_.end(),
                  [](const auto & a, const auto & b) { return a.token < b.token; });
    } else if (options.top_p < 1.0f) {
        keep_top_p(static_cast<double>(options.top_p));
    } else {
        gather(0, logits_.size(), [&](float x) { return x >= floor; });
    }

    weights_.clear();
    total_ = 0;
    for (const Candidate & c : candidates_) {
        const float weight = c.logit >= floor ? fast_exp((c.logit - top_) * inverse_temperature_) : 0.0f;
        weights_.push_back(static_cast<double>(weight));
        total_ += weights_.back();
    }
}

LogSoftmax::LogSoftmax(std::span<const float> logits) : logits_(logits), top_(max_of(logits)) {
    const double sum = exp_sum_in_blocks(logits, top_, 1.0f, nullptr);
    const bool broken = !std::isfinite(top_) || !std::isfinite(sum);
    log_sum_ = broken ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(std::log(sum));
}

float pair_probability(std::span<const float> logits, Token a, Token b) {
    return 1.0f / (1.0f + std::exp(logits[static_cast<size_t>(b)] - logits[static_cast<size_t>(a)]));
}

}  // namespace thinktree
