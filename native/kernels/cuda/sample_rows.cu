#include "sample_rows.h"

#include "sample_rows.cuh"

namespace thinktree {

void draw_tokens(const LogitRows & rows, const DrawOfRow * draws, int count, Drawn * drawn, cudaStream_t stream) {
    if (count > 0) draw_kernel<<<count, draw_threads, 0, stream>>>(rows, draws, drawn);
}

void log_probabilities(const LogitRows & rows, const TokenOfRow * tokens, int count, float * out, cudaStream_t stream) {
    if (count > 0) log_probability_kernel<<<count, draw_threads, 0, stream>>>(rows, tokens, out);
}

void pair_probabilities(const LogitRows & rows, const PairOfRow * pairs, int count, float * out, cudaStream_t stream) {
    constexpr int threads = 128;
    if (count > 0)
        pair_probability_kernel<<<(count + threads - 1) / threads, threads, 0, stream>>>(rows, pairs, count, out);
}

}  // namespace thinktree
