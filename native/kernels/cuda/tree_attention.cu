#include "tree_attention.h"

#include "tree_attention.cuh"

namespace thinktree {

namespace {

template <int D>
void submit(const TreeAttention & attention, int multiprocessors, cudaStream_t stream) {
    constexpr int memory = sizeof(ItemMemory<D>);
    cudaFuncSetAttribute(attend_items<D>, cudaFuncAttributeMaxDynamicSharedMemorySize, memory);
    int blocks = 0;
    cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, attend_items<D>, block_threads, memory);
    attend_items<D><<<multiprocessors * blocks, block_threads, memory, stream>>>(attention, partial_sums(attention, D));
    combine_partials<D><<<dim3(attention.heads, attention.rows), D, 0, stream>>>(attention, partial_sums(attention, D));
}

}  // namespace

size_t tree_attention_scratch(int rows, int heads, int head_size) {
    return static_cast<size_t>(slot_capacity(rows)) * heads * (head_size + sizeof(PartialSum) / sizeof(float));
}

bool runs_tree_attention(int head_size, int heads, int kv_heads, int compute_capability) {
    return (head_size == 64 || head_size == 128) && heads % kv_heads == 0 && heads / kv_heads <= queries_per_item &&
           compute_capability >= 700;
}

void tree_attention(const TreeAttention & attention, int head_size, int multiprocessors, cudaStream_t stream) {
    if (head_size == 64) {
        submit<64>(attention, multiprocessors, stream);
    } else {
        submit<128>(attention, multiprocessors, stream);
    }
}

}  // namespace thinktree
