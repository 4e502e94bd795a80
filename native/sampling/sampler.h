// Owns: choosing the next token from a row of logits, and the log-probability of a token.
// Must not know: branches, models, why a row was computed. Thread: any; a Sampler is used by one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"

namespace thinktree {

// Truncation comes before temperature, in llama.cpp's order: top-k, top-p, min-p, temperature.
struct SamplerOptions {
    float temperature = 0.8f;  // 0: greedy
    int32_t top_k = 0;         // 0: off
    float top_p = 1.0f;        // 1: off
    float min_p = 0.0f;        // 0: off
};

struct Sample {
    Token token;            // -1: the row has NaN or no finite logit
    float log_probability;  // natural log, under the model's own distribution: temperature 1, nothing truncated
};

class Sampler {
public:
    // `uniform` in (0, 1) is the only source of chance. Cost: a few passes over the row, never a sort of it.
    Sample sample(std::span<const float> logits, const SamplerOptions & options, double uniform);

private:
    struct Candidate {
        Token token;
        float logit;
    };
    static bool ranks_before(const Candidate & a, const Candidate & b);

    Token sample_all(std::span<const float> logits, float top, float inverse_temperature, double uniform);
    Token sample_truncated(std::span<const float> logits, float top, const SamplerOptions & options, double uniform);
    template <typename Wanted>
    void gather(std::span<const float> logits, size_t begin, size_t end, Wanted wanted);
    void keep_top_k(std::span<const float> logits, size_t k);
    void keep_top_p(std::span<const float> logits, float top, double share);
    void cut_at_mass(float top, double mass);

    std::vector<double> block_sums_;
    std::vector<float> maxima_;
    std::vector<float> ranked_maxima_;
    std::vector<double> masses_;
    std::vector<Candidate> candidates_;
};

// log p(token) under softmax(logits); NaN if the row is broken.
float log_probability(std::span<const float> logits, Token token);
// softmax over two entries alone: the probability of `a` against `b`.
float pair_probability(std::span<const float> logits, Token a, Token b);

}  // namespace thinktree
