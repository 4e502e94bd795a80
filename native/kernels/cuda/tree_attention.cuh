// Owns: the kernels behind tree_attention.h. Must not know: how they are launched. Runs on the device.
//
// attend_items: a block takes one item (a range of rows, a run of cells) and one KV head. The rows' queries of all
// heads that share it are the rows of one matrix of 16 or 64, multiplied with 64 gathered keys at a time on tensor
// cores, with the softmax kept up to date in between (flash attention, Dao et al. 2022). A cell is read once for all of
// them.
//
// combine_partials: a block takes one row and head, and adds up what its items have left (flash decoding).
#pragma once

#include "tree_attention.h"
#include "tree_work.h"

namespace thinktree {

constexpr int block_threads = 128;
constexpr int block_warps = block_threads / 32;
constexpr int tile = 16;

// Rows are padded so that neighbours start in different banks.
template <int D>
struct ItemMemory {
    half q[queries_per_item][D + 8];
    half k[cells_per_step][D + 8];  // weights once the scores are known; with v, the result at the end
    half v[cells_per_step][D + 8];
    float scores[queries_per_item][cells_per_step + 4];
    float shrink[queries_per_item][tile];
    int begin[cells_per_step], end[cells_per_step];  // rows that see a cell
};

// A partial result: sum over cells of exp(score - most), and the same sum of values.
struct PartialSum {
    float most, sum;
};

// They lie behind the values in the scratch memory.
inline PartialSum * partial_sums(const TreeAttention & a, int head_size) {
    return reinterpret_cast<PartialSum *>(a.partials +
                                          static_cast<int64_t>(slot_capacity(a.rows)) * a.heads * head_size);
}

using Left = nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, tile, tile, tile, half, nvcuda::wmma::row_major>;
using Right = nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, tile, tile, tile, half, nvcuda::wmma::row_major>;
using RightTransposed = nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, tile, tile, tile, half, nvcuda::wmma::col_major>;
using Sums = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, tile, tile, tile, float>;

// What lies behind a plan's words, as the device reads them.
struct Work {
    const int32_t * order;
    const int32_t * words;

    __device__ explicit Work(const int32_t * plan) {
        const auto & header = *reinterpret_cast<const PlanHeader *>(plan);
        order = plan + header.order_at;
        words = plan + header.work_at;
    }
    __device__ const WorkHeader & header() const { return *reinterpret_cast<const WorkHeader *>(words); }
    __device__ const WorkItem * items() const { return reinterpret_cast<const WorkItem *>(words + header().items_at); }
    __device__ const WorkVisit * visits() const {
        return reinterpret_cast<const WorkVisit *>(words + header().visits_at);
    }
    __device__ const int32_t * item_slots() const { return words + header().item_slots_at; }
    __device__ const int32_t * row_slots() const { return words + header().row_slots_at; }
};

// Starts copying up to 64 cells' vectors of one head, 16 bytes at a time; what is missing becomes 0.
template <int D>
__device__ void gather(half (*to)[D + 8], const half * from, int64_t cell_stride, const WorkVisit * visits, int cells) {
    constexpr int per_copy = 16 / sizeof(half), copies = D / per_copy;
    for (int i = threadIdx.x; i < cells_per_step * copies; i += block_threads) {
        const int c = i / copies, d = i % copies * per_copy;
        const bool there = c < cells;
        const int64_t cell = there ? visits[c].cell : 0;
        __pipeline_memcpy_async(&to[c][d], from + cell * cell_stride + d, 16, there ? 0 : 16);
    }
    __pipeline_commit();
}

// M: queries in the item's matrix, the last ones padding.
template <int D, int M>
__device__ void attend_item(const TreeAttention & a, PartialSum * sums, ItemMemory<D> & memory, const Work & work,
                            const WorkItem & item, int kv_head) {
    namespace wmma = nvcuda::wmma;
    const int thread = threadIdx.x;
    const WorkVisit * visits = work.visits() + item.first_visit;
    const int shared_by = a.heads / a.kv_heads, queries = item.rows * shared_by;

    // Warps share the matrix by rows, and where it has too few of them, by columns.
    constexpr int row_tiles = M / tile, column_parts = block_warps / row_tiles;
    constexpr int score_tiles = cells_per_step / tile / column_parts, out_tiles = D / tile / column_parts;
    const int warp = thread / 32, tile_row = warp % row_tiles * tile, part = warp / row_tiles;

    // A score's row is the work of neighbouring threads, the same ones from beginning to end.
    constexpr int threads_per_query = block_threads / M, scores_per_thread = cells_per_step / threads_per_query;
    const int query = thread / threads_per_query, offset = thread % threads_per_query;
    const int row = item.first_row + query / shared_by;
    float most = -INFINITY, sum = 0.0f;

    for (int i = thread; i < M * D; i += block_threads) {
        const int q = i / D, d = i % D;
        float x = 0.0f;
        if (q < queries) {
            const int64_t head = kv_head * shared_by + q % shared_by;
            x = a.scale * a.q[work.order[item.first_row + q / shared_by] * a.q_row + head * a.q_head + d];
        }
        memory.q[q][d] = __float2half(x);
    }

    Sums out[out_tiles];
    for (int t = 0; t < out_tiles; ++t) wmma::fill_fragment(out[t], 0.0f);

    for (int begin = 0; begin < item.visits; begin += cells_per_step) {
        const int cells = min(cells_per_step, item.visits - begin);
        __syncthreads();
        gather<D>(memory.k, a.k + kv_head * a.k_head, a.k_cell, visits + begin, cells);
        gather<D>(memory.v, a.v + kv_head * a.v_head, a.v_cell, visits + begin, cells);
        if (thread < cells_per_step) {
            memory.begin[thread] = thread < cells ? visits[begin + thread].begin : 0;
            memory.end[thread] = thread < cells ? visits[begin + thread].end : 0;
        }
        __pipeline_wait_prior(1);
        __syncthreads();

        Sums score[score_tiles];
        for (int t = 0; t < score_tiles; ++t) wmma::fill_fragment(score[t], 0.0f);
#pragma unroll
        for (int d = 0; d < D; d += tile) {
            Left left;
            wmma::load_matrix_sync(left, &memory.q[tile_row][d], D + 8);
#pragma unroll
            for (int t = 0; t < score_tiles; ++t) {
                RightTransposed right;
                wmma::load_matrix_sync(right, &memory.k[(part + t * column_parts) * tile][d], D + 8);
                wmma::mma_sync(score[t], left, right, score[t]);
            }
        }
        for (int t = 0; t < score_tiles; ++t) {
            wmma::store_matrix_sync(&memory.scores[tile_row][(part + t * column_parts) * tile], score[t],
                                    cells_per_step + 4, wmma::mem_row_major);
        }
        __syncthreads();

        auto * weights = reinterpret_cast<half(*)[cells_per_step + 8]>(memory.k);
        float x[scores_per_thread];
        float here = -INFINITY;
#pragma unroll
        for (int i = 0; i < scores_per_thread; ++i) {
            const int c = offset + i * threads_per_query;
            x[i] = memory.scores[query][c];
            if (a.softcap != 0.0f) x[i] = a.softcap * tanhf(x[i]);
            if (query >= queries || row < memory.begin[c] || row >= memory.end[c]) x[i] = -INFINITY;
            here = fmaxf(here, x[i]);
        }
        for (int d = threads_per_query / 2; d > 0; d /= 2) here = fmaxf(here, __shfl_xor_sync(0xFFFFFFFF, here, d));
        const float most_before = most;
        most = fmaxf(most, here);
        const float shrink = most_before == -INFINITY ? 0.0f : expf(most_before - most);
        float sum_here = 0.0f;
#pragma unroll
        for (int i = 0; i < scores_per_thread; ++i) {
            const float weight = x[i] == -INFINITY ? 0.0f : expf(x[i] - most);
            weights[query][offset + i * threads_per_query] = __float2half(weight);
            sum_here += weight;
        }
        for (int d = threads_per_query / 2; d > 0; d /= 2) sum_here += __shfl_xor_sync(0xFFFFFFFF, sum_here, d);
        sum = sum * shrink + sum_here;
        for (int i = offset; i < tile; i += threads_per_query) memory.shrink[query][i] = shrink;
        __pipeline_wait_prior(0);
        __syncthreads();

        // Which element of a matrix a thread holds is not told; two fragments of one type hold the same.
        Sums shrinks;
        wmma::load_matrix_sync(shrinks, &memory.shrink[tile_row][0], tile, wmma::mem_row_major);
#pragma unroll
        for (int t = 0; t < out_tiles; ++t) {
            for (int i = 0; i < out[t].num_elements; ++i) out[t].x[i] *= shrinks.x[i];
        }
#pragma unroll
        for (int c = 0; c < cells_per_step; c += tile) {
            Left left;
            wmma::load_matrix_sync(left, &weights[tile_row][c], cells_per_step + 8);
#pragma unroll
            for (int t = 0; t < out_tiles; ++t) {
                Right right;
                wmma::load_matrix_sync(right, &memory.v[c][(part + t * column_parts) * tile], D + 8);
                wmma::mma_sync(out[t], left, right, out[t]);
            }
        }
    }

    __syncthreads();
    auto * result = reinterpret_cast<float(*)[D + 4]>(memory.k);
    for (int t = 0; t < out_tiles; ++t) {
        wmma::store_matrix_sync(&result[tile_row][(part + t * column_parts) * tile], out[t], D + 4,
                                wmma::mem_row_major);
    }
    __syncthreads();
    const auto place = [&](int q) {
        return static_cast<int64_t>(work.item_slots()[item.first_slot + q / shared_by]) * a.heads +
               kv_head * shared_by + q % shared_by;
    };
    for (int i = thread; i < queries * D; i += block_threads) {
        a.partials[place(i / D) * D + i % D] = result[i / D][i % D];
    }
    if (query < queries && offset == 0) sums[place(query)] = {most, sum};
}

template <int D>
__global__ void __launch_bounds__(block_threads, 3) attend_items(TreeAttention a, PartialSum * sums) {
    auto & memory = *reinterpret_cast<ItemMemory<D> *>(block_memory());
    const Work work(a.plan);
    // The number of items is known on the device alone, so that a captured graph can be launched for plan after plan.
    for (int i = blockIdx.x; i < work.header().items * a.kv_heads; i += gridDim.x) {
        const WorkItem & item = work.items()[i / a.kv_heads];
        if (item.rows * (a.heads / a.kv_heads) <= queries_per_small_item) {
            attend_item<D, queries_per_small_item>(a, sums, memory, work, item, i % a.kv_heads);
        } else {
            attend_item<D, queries_per_item>(a, sums, memory, work, item, i % a.kv_heads);
        }
    }
}

template <int D>
__global__ void __launch_bounds__(D) combine_partials(TreeAttention a, const PartialSum * sums) {
    const int row = blockIdx.y, head = blockIdx.x, d = threadIdx.x;
    const Work work(a.plan);
    const int begin = work.row_slots()[row], end = work.row_slots()[row + 1];

    float most = a.sinks ? a.sinks[head] : -INFINITY;
    for (int s = begin; s < end; ++s) most = fmaxf(most, sums[static_cast<int64_t>(s) * a.heads + head].most);
    float sum = a.sinks ? expf(a.sinks[head] - most) : 0.0f, out = 0.0f;
    for (int s = begin; s < end; ++s) {
        const int64_t place = static_cast<int64_t>(s) * a.heads + head;
        if (sums[place].most == -INFINITY) continue;
        const float share = expf(sums[place].most - most);
        sum += share * sums[place].sum;
        out += share * a.partials[place * D + d];
    }
    const int64_t batch_row = work.order[row];
    a.out[(batch_row * a.heads + head) * D + d] = sum > 0.0f ? out / sum : 0.0f;
}

}  // namespace thinktree
