// Owns: as much of CUDA as our kernels use, on a CPU, so that their logic is tested without a device.
// Must not know: any kernel. Thread: the test's own; a block's threads are fibres of it, one block after the other.
//
// Fibres run from one barrier to the next, in an order that is shuffled by a seed: what is read without a barrier after
// it was written is wrong in some order. Races within one stretch of code, the memory's layout and its cost are not
// seen.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include "half.h"

#define __device__
#define __host__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)

using std::isfinite;
using std::max;
using std::min;

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
struct CUstream_st;
using cudaStream_t = CUstream_st *;

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulate {

constexpr int warp_size = 32;
constexpr size_t stack_bytes = 256 * 1024;

class Block {
public:
    // The kernel's calls below come from inside `run`, of the one block there is.
    static Block & current() {
        static Block block;
        return block;
    }

    void run(int threads, uint32_t seed, const std::function<void()> & body) {
        body_ = &body;
        random_.seed(seed);
        fibres_.resize(static_cast<size_t>(threads));
        for (Fibre & fibre : fibres_) {
            fibre.started = fibre.done = false;
            fibre.waits_for = nullptr;
            if (!fibre.stack) fibre.stack = std::make_unique<char[]>(stack_bytes);
            getcontext(&fibre.context);
            fibre.context.uc_stack.ss_sp = fibre.stack.get();
            fibre.context.uc_stack.ss_size = stack_bytes;
            makecontext(&fibre.context, &Block::enter, 0);
        }
        block_barrier_ = {threads, 0};
        warp_barriers_.assign(fibres_.size() / warp_size + 1, {warp_size, 0});
        std::vector<size_t> order(warp_barriers_.size());
        std::iota(order.begin(), order.end(), size_t{0});
        for (bool ran = true; ran;) {
            if (seed != 0) std::shuffle(order.begin(), order.end(), random_);
            ran = false;
            for (const size_t warp : order) {
                while (run_warp(warp)) ran = true;
            }
        }
        for (const Fibre & fibre : fibres_) {
            if (fibre.done) continue;
            std::fputs("emulate: a barrier that not all threads reach\n", stderr);
            std::abort();
        }
    }

    void sync_block() { wait(block_barrier_); }
    void sync_warp() { wait(warp_barriers_[self_ / warp_size]); }

    size_t lane() const { return self_ % warp_size; }

    // What a lane shows the others of its warp.
    const void *& shown(size_t lane) { return fibres_[self_ / warp_size * warp_size + lane].shown; }

    unsigned char * memory() { return memory_; }

private:
    struct Barrier {
        int expected, arrived;
    };
    struct Fibre {
        ucontext_t context;  // where it starts; from then on jumps do, which need no system call
        jmp_buf here;
        std::unique_ptr<char[]> stack;
        const Barrier * waits_for;
        const void * shown;
        bool started, done;
    };

    // Each of its threads up to the next barrier; false if all of them wait for other warps, or are done.
    bool run_warp(size_t warp) {
        bool ran = false;
        for (size_t i = warp * warp_size; i < std::min(fibres_.size(), (warp + 1) * warp_size); ++i) {
            if (fibres_[i].done || fibres_[i].waits_for != nullptr) continue;
            ran = true;
            self_ = i;
            threadIdx = {static_cast<unsigned>(i)};
            resume(fibres_[i]);
        }
        return ran;
    }

    static void enter() {
        Block & block = current();
        (*block.body_)();
        block.fibres_[block.self_].done = true;
        _longjmp(block.scheduler_, 1);
    }

    void resume(Fibre & fibre) {
        if (_setjmp(scheduler_) != 0) return;
        if (fibre.started) _longjmp(fibre.here, 1);
        fibre.started = true;
        setcontext(&fibre.context);
    }

    void wait(Barrier & barrier) {
        Fibre & fibre = fibres_[self_];
        if (++barrier.arrived == barrier.expected) {
            barrier.arrived = 0;
            for (Fibre & other : fibres_) {
                if (other.waits_for == &barrier) other.waits_for = nullptr;
            }
        } else {
            fibre.waits_for = &barrier;
        }
        if (_setjmp(fibre.here) == 0) _longjmp(scheduler_, 1);
    }

    alignas(128) unsigned char memory_[256 * 1024];
    const std::function<void()> * body_ = nullptr;
    std::mt19937 random_;
    std::vector<Fibre> fibres_;
    std::vector<Barrier> warp_barriers_;
    Barrier block_barrier_{};
    jmp_buf scheduler_;
    size_t self_ = 0;
};

// Seed 0: the threads run in their own order.
template <typename Kernel>
void launch(dim3 grid, int threads, uint32_t seed, Kernel kernel) {
    gridDim = grid;
    blockDim = {static_cast<unsigned>(threads)};
    const std::function<void()> body = kernel;
    for (unsigned y = 0; y < grid.y; ++y) {
        for (unsigned x = 0; x < grid.x; ++x) {
            blockIdx = {x, y};
            Block::current().run(threads, seed, body);
        }
    }
}

template <typename T>
T from_lane(T value, size_t lane) {
    Block & block = Block::current();
    block.shown(block.lane()) = &value;
    block.sync_warp();
    const T other = *static_cast<const T *>(block.shown(lane));
    block.sync_warp();
    return other;
}

}  // namespace emulate

inline void __syncthreads() { emulate::Block::current().sync_block(); }
inline void __syncwarp() { emulate::Block::current().sync_warp(); }

template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return emulate::from_lane(value, emulate::Block::current().lane() ^ static_cast<size_t>(mask));
}
template <typename T>
T __shfl_up_sync(unsigned, T value, unsigned by) {
    const size_t lane = emulate::Block::current().lane();
    return emulate::from_lane(value, lane >= by ? lane - by : lane);
}

// Fibres do not interrupt each other.
template <typename T>
T atomicAdd(T * to, T value) {
    return std::exchange(*to, *to + value);
}

inline float __expf(float x) { return std::exp(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }

struct half {
    uint16_t bits;
};
inline float __half2float(half h) { return float_of_half(h.bits); }
inline half __float2half(float x) { return {half_of_float(x)}; }

// A copy that has not been waited for may be at any place of its way: here it is done at once.
inline void __pipeline_memcpy_async(void * to, const void * from, size_t bytes, size_t zeros) {
    std::memcpy(to, from, bytes - zeros);
    std::memset(static_cast<char *>(to) + bytes - zeros, 0, zeros);
}
inline void __pipeline_commit() {}
inline void __pipeline_wait_prior(int) {}

namespace nvcuda::wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

// A lane holds 8 neighbours of a row of the 16 x 16 matrix; a device may hold others.
template <typename Use, int M, int N, int K, typename T, typename Layout = void>
struct fragment {
    static constexpr int num_elements = M * N / emulate::warp_size;
    T x[num_elements];

    static int row(size_t lane, int i) { return (static_cast<int>(lane) * num_elements + i) / N; }
    static int column(size_t lane, int i) { return (static_cast<int>(lane) * num_elements + i) % N; }
    struct Place {
        int lane, i;
    };
    static Place place(int row, int column) {
        const int element = row * N + column;
        return {element / num_elements, element % num_elements};
    }
};

template <typename Fragment, typename T>
void each_element(Fragment & f, T * memory, unsigned stride, bool by_rows, bool load) {
    const size_t lane = emulate::Block::current().lane();
    for (int i = 0; i < Fragment::num_elements; ++i) {
        const int row = Fragment::row(lane, i), column = Fragment::column(lane, i);
        T & place =
            by_rows ? memory[row * static_cast<int>(stride) + column] : memory[column * static_cast<int>(stride) + row];
        if (load) f.x[i] = place;
        if constexpr (!std::is_const_v<T>) {
            if (!load) place = f.x[i];
        }
    }
}

template <typename Use, int M, int N, int K, typename T, typename Layout>
void load_matrix_sync(fragment<Use, M, N, K, T, Layout> & f, const T * from, unsigned stride) {
    each_element(f, from, stride, std::is_same_v<Layout, row_major>, true);
}
template <int M, int N, int K, typename T>
void load_matrix_sync(fragment<accumulator, M, N, K, T> & f, const T * from, unsigned stride, layout_t layout) {
    each_element(f, from, stride, layout == mem_row_major, true);
}
template <int M, int N, int K, typename T>
void store_matrix_sync(T * to, const fragment<accumulator, M, N, K, T> & f, unsigned stride, layout_t layout) {
    auto copy = f;
    each_element(copy, to, stride, layout == mem_row_major, false);
}
template <typename Fragment, typename T>
void fill_fragment(Fragment & f, T value) {
    std::fill(std::begin(f.x), std::end(f.x), value);
}

template <int M, int N, int K, typename LayoutA, typename LayoutB>
void mma_sync(fragment<accumulator, M, N, K, float> & d, const fragment<matrix_a, M, N, K, half, LayoutA> & a,
              const fragment<matrix_b, M, N, K, half, LayoutB> & b, const fragment<accumulator, M, N, K, float> & c) {
    using A = fragment<matrix_a, M, N, K, half, LayoutA>;
    using B = fragment<matrix_b, M, N, K, half, LayoutB>;
    emulate::Block & block = emulate::Block::current();
    const std::pair factors(&a, &b);
    const auto of_lane = [&](int lane) {
        return *static_cast<const decltype(factors) *>(block.shown(static_cast<size_t>(lane)));
    };
    const size_t lane = block.lane();
    block.shown(lane) = &factors;
    block.sync_warp();
    for (int i = 0; i < d.num_elements; ++i) {
        const int row = d.row(lane, i), column = d.column(lane, i);
        float sum = c.x[i];
        for (int k = 0; k < K; ++k) {
            const auto left = A::place(row, k), right = B::place(k, column);
            sum += __half2float(of_lane(left.lane).first->x[left.i]) *
                   __half2float(of_lane(right.lane).second->x[right.i]);
        }
        d.x[i] = sum;
    }
    block.sync_warp();
}

}  // namespace nvcuda::wmma

namespace thinktree {

inline unsigned char * block_memory() { return emulate::Block::current().memory(); }

}  // namespace thinktree
