#include "ggml_tree_attention.h"

#include <cstring>

#include "../tree_plan.h"
#include "common.cuh"
#include "tree_attention.h"

namespace thinktree {

bool carries_tree_plan(const ggml_tensor * attention) {
    constexpr int plan_parameter = 5;
    return ggml_get_op_params_i32(attention, plan_parameter) == plan_magic;
}

bool supports_tree_attention(int device, const ggml_tensor * attention) {
    const ggml_tensor * q = attention->src[0];
    const ggml_tensor * k = attention->src[1];
    const ggml_tensor * v = attention->src[2];
    return q->type == GGML_TYPE_F32 && k->type == GGML_TYPE_F16 && v->type == GGML_TYPE_F16 && q->ne[3] == 1 &&
           v->ne[0] == k->ne[0] && v->ne[2] == k->ne[2] &&
           runs_tree_attention(static_cast<int>(k->ne[0]), static_cast<int>(q->ne[2]), static_cast<int>(k->ne[2]),
                               ggml_cuda_info().devices[device].cc);
}

void tree_attention(ggml_backend_cuda_context & context, ggml_tensor * attention) {
    const ggml_tensor * q = attention->src[0];
    const ggml_tensor * k = attention->src[1];
    const ggml_tensor * v = attention->src[2];
    const ggml_tensor * sinks = attention->src[4];
    const auto stride = [](const ggml_tensor * t, int dimension) {
        return static_cast<int64_t>(t->nb[dimension] / ggml_type_size(t->type));
    };
    GGML_ASSERT(ggml_is_contiguous(attention) && supports_tree_attention(context.device, attention));

    TreeAttention a = {};
    const int head_size = static_cast<int>(k->ne[0]);
    a.q = static_cast<const float *>(q->data);
    a.q_row = stride(q, 1);
    a.q_head = stride(q, 2);
    a.k = static_cast<const half *>(k->data);
    a.k_cell = stride(k, 1);
    a.k_head = stride(k, 2);
    a.v = static_cast<const half *>(v->data);
    a.v_cell = stride(v, 1);
    a.v_head = stride(v, 2);
    a.sinks = sinks ? static_cast<const float *>(sinks->data) : nullptr;
    a.out = static_cast<float *>(attention->data);
    a.plan = static_cast<const int32_t *>(attention->src[3]->data);
    a.rows = static_cast<int32_t>(q->ne[1]);
    a.heads = static_cast<int32_t>(q->ne[2]);
    a.kv_heads = static_cast<int32_t>(k->ne[2]);
    a.scale = ggml_get_op_params_f32(attention, 0);
    a.softcap = ggml_get_op_params_f32(attention, 2);
    if (a.softcap != 0.0f) a.scale /= a.softcap;

    ggml_cuda_pool_alloc<float> partials(context.pool(), tree_attention_scratch(a.rows, a.heads, head_size));
    a.partials = partials.get();
    tree_attention(a, head_size, ggml_cuda_info().devices[context.device].nsm, context.stream());
    CUDA_CHECK(cudaGetLastError());
}

}  // namespace thinktree
