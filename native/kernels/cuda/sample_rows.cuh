// Owns: the kernels behind sample_rows.h. Must not know: how they are launched. Runs on the device.
//
// A block takes one draw. It passes over the row for the maximum and for the sum; where something is truncated, a few
// times more to find the cut (a radix select, which is usually done after two digits) and once for what is left; and
// over a 32nd of it for the token. Masses are integers, 2^44 for the largest logit's, so that sums know no order.
#pragma once

#include "device.cuh"
#include "sample_rows.h"

namespace thinktree {

constexpr int draw_threads = 1024;
constexpr int draw_warps = draw_threads / 32;
constexpr int digits = draw_threads;  // of one step of the select: a thread each
constexpr unsigned all_lanes = 0xFFFFFFFF;

using Mass = unsigned long long;

struct RowMemory {
    unsigned counts[digits];
    Mass masses[digits];
    Mass warp_masses[draw_warps];
    double warp_sums[draw_warps];
    int digit;
    Mass before, mass_before;
};

// A row as one block sees it: a warp passes over neighbours, so that its sum is that of a stretch of the row.
struct Row {
    const float * logits;
    int entries;

    __device__ int stretch() const { return (entries + draw_warps - 1) / draw_warps; }

    template <typename Visit>
    __device__ void each(Visit visit) const {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        const int end = min(entries, (warp + 1) * stretch());
#pragma unroll 4
        for (int i = warp * stretch() + lane; i < end; i += 32) visit(logits[i], i);
    }
};

// A row's tokens by rank: larger logits first, of equal ones the first. NaN is before everything.
inline __device__ Mass rank(float logit, int token) {
    const unsigned bits = __float_as_uint(logit + 0.0f);
    const unsigned ascending = logit != logit ? 0xFFFFFFFF : bits & 0x80000000 ? ~bits : bits | 0x80000000;
    return static_cast<Mass>(~ascending) << 32 | static_cast<unsigned>(token);
}

// exp(-depth) of something that far below the largest logit, as an integer. Nothing from 2^-44 on.
constexpr float unit_mass = 17592186044416.0f;
inline __device__ Mass as_mass(float weight) { return static_cast<Mass>(weight * unit_mass); }
inline __device__ Mass mass(float depth) { return as_mass(__expf(-depth)); }

template <typename T, typename Combine>
__device__ T combine_warp(T value, Combine combine) {
    for (int d = 16; d > 0; d /= 2) value = combine(value, __shfl_xor_sync(all_lanes, value, d));
    return value;
}

// Every thread gets the result. `each_warp`: memory for one value a warp; it is left with the warps' own results.
template <typename T, typename Combine>
__device__ T combine_block(T value, T * each_warp, Combine combine) {
    value = combine_warp(value, combine);
    __syncthreads();
    if (threadIdx.x % 32 == 0) each_warp[threadIdx.x / 32] = value;
    __syncthreads();
    T all = each_warp[0];
    for (int w = 1; w < draw_warps; ++w) all = combine(all, each_warp[w]);
    return all;
}

template <typename T>
__device__ T sum_block(T value, T * each_warp) {
    return combine_block(value, each_warp, [](T a, T b) { return a + b; });
}

// Sum of the values of this thread and all before it.
inline __device__ Mass running_sum(Mass value, Mass * each_warp) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int d = 1; d < 32; d *= 2) {
        const Mass other = __shfl_up_sync(all_lanes, value, d);
        if (lane >= d) value += other;
    }
    __syncthreads();
    if (lane == 31) each_warp[warp] = value;
    __syncthreads();
    for (int w = 0; w < warp; ++w) value += each_warp[w];
    return value;
}

struct RowSums {
    int best;
    float top, log_sum, entropy;
    Mass mass;
    bool broken;
};

inline __device__ RowSums sums_of(const Row & row, RowMemory & memory) {
    Mass best = ~Mass{0};
    row.each([&](float x, int i) { best = min(best, rank(x, i)); });
    best = combine_block(best, memory.warp_masses, [](Mass a, Mass b) { return min(a, b); });
    RowSums sums{};
    sums.best = static_cast<int>(best & 0xFFFFFFFF);
    sums.top = row.logits[sums.best];
    sums.broken = !isfinite(sums.top);
    if (sums.broken) return sums;

    Mass total = 0;
    float depths = 0;
    row.each([&](float x, int) {
        const float depth = sums.top - x, weight = __expf(-depth);
        total += as_mass(weight);
        if (weight > 0.0f) depths += weight * depth;
    });
    sums.mass = sum_block(total, memory.warp_masses);
    const double z = static_cast<double>(sums.mass) / static_cast<double>(unit_mass);
    sums.log_sum = static_cast<float>(log(z));
    sums.entropy = sums.log_sum + static_cast<float>(sum_block(static_cast<double>(depths), memory.warp_sums) / z);
    return sums;
}

// The first tokens by rank, as far as some digits of the last one's rank are known. The first two digits are taken from
// the depth below the top, among which logits spread well; the others are the rank's own bytes.
struct Cut {
    static constexpr int by_depth = 2, steps = by_depth + 8;

    float top;
    int known = 0;
    int depth_digits[by_depth] = {};
    Mass bytes = 0;

    __device__ int depth_digit(int step, float x) const {
        constexpr float digits_of_first = 32.0f;  // for each nat of depth
        const float first = (top - x) * digits_of_first;
        if (!(first < digits - 1)) return step == 0 ? digits - 1 : 0;
        return step == 0 ? static_cast<int>(first) : static_cast<int>((first - floorf(first)) * digits);
    }

    // Below 0: before the cut as far as it is known; 0: on it; above: behind.
    __device__ int side(float x, int token) const {
#pragma unroll
        for (int step = 0; step < by_depth; ++step) {
            if (step == known) return 0;
            const int digit = depth_digit(step, x);
            if (digit != depth_digits[step]) return digit < depth_digits[step] ? -1 : 1;
        }
        if (known == by_depth) return 0;
        const Mass leading = rank(x, token) >> (64 - 8 * (known - by_depth));
        return leading < bytes ? -1 : leading > bytes;
    }

    __device__ int next_digit(float x, int token) const {
        if (known < by_depth) return depth_digit(known, x);
        return static_cast<int>(rank(x, token) >> (56 - 8 * (known - by_depth)) & 255);
    }

    __device__ void learn(int digit) {
        if (known >= by_depth) bytes = bytes << 8 | static_cast<Mass>(digit);
#pragma unroll
        for (int step = 0; step < by_depth; ++step) {
            if (step == known) depth_digits[step] = digit;
        }
        ++known;
    }
};

// Leaves the fewest tokens of the row, best first, whose number (or whose mass) reaches `target`; returns their mass.
inline __device__ Mass select(const Row & row, RowMemory & memory, bool by_mass, Mass target, Cut & cut) {
    cut = Cut{cut.top};
    Mass before = 0, mass_before = 0;
    for (;;) {
        __syncthreads();
        memory.counts[threadIdx.x] = 0;
        memory.masses[threadIdx.x] = 0;
        __syncthreads();
        row.each([&](float x, int i) {
            if (cut.side(x, i) != 0) return;
            const int digit = cut.next_digit(x, i);
            atomicAdd(&memory.counts[digit], 1u);
            atomicAdd(&memory.masses[digit], mass(cut.top - x));
        });
        __syncthreads();
        const Mass own_mass = memory.masses[threadIdx.x];
        const Mass own = by_mass ? own_mass : memory.counts[threadIdx.x];
        const Mass upto = before + running_sum(own, memory.warp_masses);
        const Mass mass_upto = mass_before + running_sum(own_mass, memory.warp_masses);
        if (upto >= target && upto - own < target) {
            memory.digit = threadIdx.x;
            memory.before = upto - own;
            memory.mass_before = mass_upto - own_mass;
        }
        __syncthreads();
        const int digit = memory.digit;
        before = memory.before;
        mass_before = memory.mass_before;
        cut.learn(digit);
        if (memory.counts[digit] == 1 || cut.known == Cut::steps) return mass_before + memory.masses[digit];
    }
}

// The token at which the running sum of `mass_of` passes `share` of it all.
template <typename MassOf>
__device__ int token_at(const Row & row, RowMemory & memory, double share, MassOf mass_of) {
    Mass own = 0;
    row.each([&](float x, int i) { own += mass_of(x, i); });
    const Mass total = sum_block(own, memory.warp_masses);
    Mass left = min(static_cast<Mass>(share * static_cast<double>(total)), total - 1);
    int begin = 0;
    for (int w = 0; left >= memory.warp_masses[w]; ++w) {
        left -= memory.warp_masses[w];
        begin += row.stretch();
    }

    const int end = min(row.entries, begin + row.stretch());
    const int each = (row.stretch() + draw_threads - 1) / draw_threads, first = begin + threadIdx.x * each;
    own = 0;
    for (int i = first; i < min(end, first + each); ++i) own += mass_of(row.logits[i], i);
    const Mass upto = running_sum(own, memory.warp_masses);
    if (left < upto && left >= upto - own) {
        left -= upto - own;
        int token = first;
        for (Mass m; left >= (m = mass_of(row.logits[token], token)); ++token) left -= m;
        memory.digit = token;
    }
    __syncthreads();
    return memory.digit;
}

inline __device__ int draw_token(const Row & row, RowMemory & memory, const RowSums & sums, const DrawOfRow & draw) {
    if (!(draw.temperature > 0.0f) || draw.top_k == 1) return sums.best;
    // So that neither the largest logit nor a masked one becomes NaN.
    const float coldness = 1.0f / fminf(fmaxf(draw.temperature, 1e-30f), 1e30f);
    const bool some = draw.top_k > 0 && draw.top_k < row.entries;
    Cut cut{sums.top};
    Mass left = sums.mass;
    if (some) left = select(row, memory, false, static_cast<Mass>(draw.top_k), cut);
    if (draw.top_p < 1.0f) {
        const double share = ceil(static_cast<double>(draw.top_p) * static_cast<double>(left));
        select(row, memory, true, static_cast<Mass>(fmax(share, 1.0)), cut);
    }
    const float floor = draw.min_p > 0.0f ? sums.top + logf(fminf(draw.min_p, 1.0f)) : -INFINITY;
    return token_at(row, memory, draw.uniform, [&](float x, int i) {
        return x >= floor && cut.side(x, i) <= 0 ? mass((sums.top - x) * coldness) : Mass{0};
    });
}

inline __device__ Row row_of(const LogitRows & rows, int row) {
    return {rows.logits + row * rows.stride, rows.entries};
}

__global__ void __launch_bounds__(draw_threads) draw_kernel(LogitRows rows, const DrawOfRow * draws, Drawn * drawn) {
    __shared__ RowMemory memory;
    const DrawOfRow draw = draws[blockIdx.x];
    const Row row = row_of(rows, draw.row);
    const RowSums sums = sums_of(row, memory);
    const int token = sums.broken ? -1 : draw_token(row, memory, sums, draw);
    if (threadIdx.x > 0) return;
    drawn[blockIdx.x] = {token, token < 0 ? 0.0f : row.logits[token] - sums.top - sums.log_sum, sums.top,
                         sums.top + sums.log_sum, sums.entropy};
}

__global__ void __launch_bounds__(draw_threads)
    log_probability_kernel(LogitRows rows, const TokenOfRow * tokens, float * out) {
    __shared__ RowMemory memory;
    const TokenOfRow query = tokens[blockIdx.x];
    const Row row = row_of(rows, query.row);
    const RowSums sums = sums_of(row, memory);
    if (threadIdx.x > 0) return;
    out[blockIdx.x] = sums.broken ? NAN : row.logits[query.token] - sums.top - sums.log_sum;
}

__global__ void pair_probability_kernel(LogitRows rows, const PairOfRow * pairs, int count, float * out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const Row row = row_of(rows, pairs[i].row);
    out[i] = 1.0f / (1.0f + expf(row.logits[pairs[i].b] - row.logits[pairs[i].a]));
}

}  // namespace thinktree
