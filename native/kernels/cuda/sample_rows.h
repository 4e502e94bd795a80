// Owns: choosing tokens from rows of logits that lie on a CUDA device, and their log-probabilities.
// Must not know: branches, models. Thread: any; work is submitted to a stream.
//
// The same definition as class Sampler (native/sampling/sampler.h): given the same uniform, the same token, but for
// rounding. Results do not depend on what else is drawn, nor on the device: masses are summed as integers.
#pragma once

#include <cstdint>

struct CUstream_st;
using cudaStream_t = CUstream_st *;  // as CUDA says: host code includes this without CUDA

namespace thinktree {

constexpr int32_t most_entries = 1 << 19;  // of a row: so many masses do not overflow their sum

// `entries` floats a row, from row to row `stride`; everything lies in device memory.
struct LogitRows {
    const float * logits;
    int64_t stride;
    int32_t entries;
};

struct DrawOfRow {
    double uniform;  // in (0, 1)
    int32_t row;
    int32_t top_k;  // 0: off
    float temperature, top_p, min_p;
};

struct Drawn {
    int32_t token;                    // -1: the row has NaN or no finite logit, and the rest means nothing
    float log_probability;            // under the model's own distribution
    float top, log_sum_exp, entropy;  // of the row
};

struct TokenOfRow {
    int32_t row, token;
};

struct PairOfRow {
    int32_t row, a, b;
};

void draw_tokens(const LogitRows & rows, const DrawOfRow * draws, int count, Drawn * drawn, cudaStream_t stream);

// NaN where the row is broken.
void log_probabilities(const LogitRows & rows, const TokenOfRow * tokens, int count, float * out, cudaStream_t stream);

// softmax over two entries alone: the probability of `a` against `b`.
void pair_probabilities(const LogitRows & rows, const PairOfRow * pairs, int count, float * out, cudaStream_t stream);

}  // namespace thinktree
