// Owns: the runner that emulates a device. Must not know: the tests. Thread: theirs.
#include "attention_shape.h"
#include "kernels/cuda/sample_rows.cuh"
#include "kernels/cuda/tree_attention.cuh"
#include "runner.h"

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

dim3 blocks(size_t count) { return {static_cast<unsigned>(count)}; }

LogitRows view(const Rows & rows) { return {rows.logits.data(), rows.entries, rows.entries}; }

}  // namespace

std::vector<float> attend(const AttentionCase & attention, uint32_t seed) {
    return attention.shape.head_size == 64 ? attend_with<64>(attention, seed) : attend_with<128>(attention, seed);
}

std::vector<Drawn> draw(const Rows & rows, const std::vector<Draw> & draws, uint32_t seed) {
    std::vector<Drawn> drawn(draws.size(), {-2, NAN, NAN, NAN, NAN});
    emulate::launch(blocks(draws.size()), draw_threads, seed,
                    [&] { draw_kernel(view(rows), draws.data(), drawn.data()); });
    return drawn;
}

std::vector<float> log_probabilities(const Rows & rows, const std::vector<TokenOfRow> & tokens) {
    std::vector<float> out(tokens.size(), NAN);
    emulate::launch(blocks(tokens.size()), draw_threads, 1,
                    [&] { log_probability_kernel(view(rows), tokens.data(), out.data()); });
    return out;
}

std::vector<float> pair_probabilities(const Rows & rows, const std::vector<PairOfRow> & pairs) {
    std::vector<float> out(pairs.size(), NAN);
    const auto count = static_cast<int>(pairs.size());
    emulate::launch(blocks(pairs.size() / 32 + 1), 32, 1,
                    [&] { pair_probability_kernel(view(rows), pairs.data(), count, out.data()); });
    return out;
}

}  // namespace thinktree::runner
