// Owns: attention of many query rows over one KV cache of which each row sees its own path, on a CUDA device.
// Must not know: ggml, trees, sequences: all it sees is a plan with its work (tree_work.h).
// Thread: any; work is submitted to a stream.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device.cuh"

namespace thinktree {

// Everything lies in device memory; strides count elements.
struct TreeAttention {
    const float * q;
    int64_t q_row, q_head;
    const half * k;
    int64_t k_cell, k_head;
    const half * v;
    int64_t v_cell, v_head;
    const float * sinks;  // one a head, or null
    float * out;          // [rows][heads][head size], dense
    const int32_t * plan;
    float * partials;  // tree_attention_scratch() floats
    int32_t rows, heads, kv_heads;
    float scale, softcap;  // softcap 0: none
};

// Floats of memory for partial results, whatever the plan: a vector, a maximum and a sum each.
size_t tree_attention_scratch(int rows, int heads, int head_size);

// Head sizes 64 and 128, up to 64 heads for a KV head, and tensor cores (7.0, Volta).
bool runs_tree_attention(int head_size, int heads, int kv_heads, int compute_capability);

void tree_attention(const TreeAttention & attention, int head_size, int multiprocessors, cudaStream_t stream);

}  // namespace thinktree
