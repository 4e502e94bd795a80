// Owns: the runner that emulates a device. Must not know: the tests. Thread: theirs.
#include <cuda_runtime_api.h>

#include "answers_runner.h"
#include "attention_shape.h"
#include "kernels/cuda/sample_rows.cuh"
#include "kernels/cuda/tree_attention.cuh"
#include "runner.h"

namespace thinktree {

namespace {

dim3 blocks(size_t count) { return {static_cast<unsigned>(count)}; }

void submit(std::function<void()> work) { emulate::Runtime::get().submitted.push_back(std::move(work)); }

}  // namespace

void draw_tokens(const LogitRows & rows, const DrawOfRow * draws, int count, Drawn * drawn, cudaStream_t) {
    submit([=] {
        emulate::launch(blocks(static_cast<size_t>(count)), draw_threads, 1, [&] { draw_kernel(rows, draws, drawn); });
    });
}

void log_probabilities(const LogitRows & rows, const TokenOfRow * tokens, int count, float * out, cudaStream_t) {
    submit([=] {
        emulate::launch(blocks(static_cast<size_t>(count)), draw_threads, 1,
                        [&] { log_probability_kernel(rows, tokens, out); });
    });
}

void pair_probabilities(const LogitRows & rows, const PairOfRow * pairs, int count, float * out, cudaStream_t) {
    submit([=] {
        emulate::launch(blocks(static_cast<size_t>(count) / 32 + 1), 32, 1,
                        [&] { pair_probability_kernel(rows, pairs, count, out); });
    });
}

}  // namespace thinktree

namespace thinktree::runner {

namespace {

template <int D>
std::vector<float> attend_with(const AttentionCase & c, uint32_t seed) {
    const size_t slots = static_cast<size_t>(slot_capacity(c.rows)) * static_cast<size_t>(c.shape.heads);
    std::vector<float> out(c.q.size(), NAN), partials(slots * (D + 2), NAN);
    TreeAttention a = shape_of(c);
    a.q = c.q.data();
    a.k = reinterpret_cast<const half *>(c.k.data());
    a.v = reinterpret_cast<const half *>(c.v.data());
    a.sinks = c.shape.sinks ? c.sinks.data() : nullptr;
    a.out = out.data();
    a.plan = c.plan.data();
    a.partials = partials.data();
    PartialSum * sums = partial_sums(a, D);
    emulate::launch({7}, block_threads, seed, [&] { attend_items<D>(a, sums); });
    emulate::launch({static_cast<unsigned>(a.heads), static_cast<unsigned>(a.rows)}, D, seed,
                    [&] { combine_partials<D>(a, sums); });
    return out;
}

LogitRows view(const Rows & rows) { return {rows.logits.data(), rows.entries, rows.entries}; }

}  // namespace

std::vector<float> attend(const AttentionCase & attention, uint32_t seed) {
    return attention.shape.head_size == 64 ? attend_with<64>(attention, seed) : attend_with<128>(attention, seed);
}

std::vector<Drawn> draw(const Rows & rows, const std::vector<DrawOfRow> & draws, uint32_t seed) {
    std::vector<Drawn> drawn(draws.size(), {-2, NAN, NAN, NAN, NAN});
    emulate::launch(blocks(draws.size()), draw_threads, seed,
                    [&] { draw_kernel(view(rows), draws.data(), drawn.data()); });
    return drawn;
}

std::vector<float> log_probabilities(const Rows & rows, const std::vector<TokenOfRow> & tokens) {
    std::vector<float> out(tokens.size(), NAN);
    thinktree::log_probabilities(view(rows), tokens.data(), static_cast<int>(tokens.size()), out.data(), nullptr);
    cudaStreamSynchronize(nullptr);
    return out;
}

std::vector<float> pair_probabilities(const Rows & rows, const std::vector<PairOfRow> & pairs) {
    std::vector<float> out(pairs.size(), NAN);
    thinktree::pair_probabilities(view(rows), pairs.data(), static_cast<int>(pairs.size()), out.data(), nullptr);
    cudaStreamSynchronize(nullptr);
    return out;
}

bool read(RowAnswers & answers, const Rows & rows, const std::vector<Ask> & asks) {
    return answers.read(view(rows), asks, 0, nullptr);
}

}  // namespace thinktree::runner
