// Owns: choosing the next token from a row of logits, and the log-probability of a token.
// Must not know: branches, models, why a row was computed. Thread: any; a Sampler is used by one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token.h"

namespace thinktree {

// Truncation comes before temperature, in llama.cpp's order: top-k, top-p, min-p, temperature.
struct SamplerOptions {
    float temperature = 0.8f;  // 0: greedy
    int32_t top_k = 0;         // 0: off
    float top_p = 1.0f;        // 1: off
    float min_p = 0.0f;        // 0: off

    bool operator==(const SamplerOptions &) const = default;
};

struct Sample {
    Token token;            // -1: the row has NaN or no finite logit
    float log_probability;  // natural log, under the model's own distribution: temperature 1, nothing truncated
};

class Sampler {
public:
    // Takes a row in, for any number of draws while it stays where it is. Cost: a few passes over it, never a sort.
    void read(std::span<const float> logits, const SamplerOptions & options);
    // `uniform` in (0, 1) is the only source of chance. Cost: a part of the row.
    Sample draw(double uniform) const;

    Sample sample(std::span<const float> logits, const SamplerOptions & options, double uniform) {
        read(logits, options);
        return draw(uniform);
    }

private:
    struct Candidate {
        Token token;
        float logit;
    };
    static bool ranks_before(const Candidate & a, const Candidate & b);

    Token draw_of_all(double uniform) const;
    Token draw_of_candidates(double uniform) const;
    void truncate(const SamplerOptions & options);
    template <typename Wanted>
    void gather(size_t begin, size_t end, Wanted wanted);
    void keep_top_k(size_t k);
    void keep_top_p(double share);
    void cut_at_mass(double mass);

    std::span<const float> logits_;
    float top_ = 0;
    float log_sum_ = 0;  // of exp(logit - top)
    float inverse_temperature_ = 1;
    bool broken_ = false;
    bool truncated_ = false;
    Token greedy_ = -1;               // the likeliest, if nothing is left to chance
    double total_ = 0;                // of the weights below
    std::vector<double> block_sums_;  // of the whole row
    std::vector<double> weights_;     // of what truncation has left: the candidates
    std::vector<float> maxima_;
    std::vector<float> ranked_maxima_;
    std::vector<double> masses_;
    std::vector<Candidate> candidates_;
};

// log p(token) under softmax(logits), for any number of tokens; NaN if the row is broken.
class LogSoftmax {
public:
    explicit LogSoftmax(std::span<const float> logits);
    float operator()(Token token) const { return logits_[static_cast<size_t>(token)] - top_ - log_sum_; }

private:
    std::span<const float> logits_;
    float top_;
    float log_sum_;  // of exp(logit - top)
};
inline float log_probability(std::span<const float> logits, Token token) { return LogSoftmax(logits)(token); }
// softmax over two entries alone: the probability of `a` against `b`.
float pair_probability(std::span<const float> logits, Token a, Token b);

}  // namespace thinktree
