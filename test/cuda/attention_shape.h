// Owns: what a case says of the kernels' arguments, all but where its numbers lie. Must not know: devices.
#pragma once

#include "attention_case.h"
#include "kernels/cuda/tree_attention.h"

namespace thinktree::runner {

inline TreeAttention shape_of(const AttentionCase & c) {
    const int64_t d = c.shape.head_size;
    TreeAttention a{};
    a.q_row = c.shape.heads * d;
    a.q_head = d;
    a.k_cell = a.v_cell = c.shape.kv_heads * d;
    a.k_head = a.v_head = d;
    a.rows = c.rows;
    a.heads = c.shape.heads;
    a.kv_heads = c.shape.kv_heads;
    a.softcap = c.shape.softcap;
    a.scale = c.shape.softcap != 0.0f ? c.scale() / c.shape.softcap : c.scale();
    return a;
}

}  // namespace thinktree::runner
