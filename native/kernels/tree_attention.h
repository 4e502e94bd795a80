// Owns: attention of many query rows over one KV cache of which each row sees its own path only.
// Must not know: trees, sequences, models: all it sees is the mask. Thread: ggml's compute threads.
//
// Included by llama.cpp's ggml-cpu/ops.cpp (native/cmake/llama_patch.cmake), whose tiled flash attention it stands in
// for: same arguments, same scratch memory, same result up to the order of summation. That one computes every row
// against every cell in use and masks most of it away. Here a tile of rows first reads the mask and lists the cells to
// visit:
//
//      cells that most groups of rows see      multiplied with all rows of the tile (the shared prefix)
//      cells that few see                      gathered, and multiplied with the groups that see them (the branches)
//
// A KV tile is copied into packed floats before it is multiplied in any case, so that gathering costs nothing.
#pragma once

namespace thinktree {

constexpr int rows_per_tile = ggml_fa_tile_config::Q;
constexpr int cells_per_tile = ggml_fa_tile_config::KV;
constexpr int rows_per_group = 8;
constexpr int groups_per_tile = (rows_per_tile + rows_per_group - 1) / rows_per_group;
constexpr ggml_fp16_t masked = 0xFC00;  // minus infinity

// Which cells the rows of a tile visit. Kept from head to head, since the mask is the same.
class TilePlan {
public:
    std::vector<int32_t> shared;
    std::vector<int32_t> own[groups_per_tile];

    void read(const char * mask, size_t row_bytes, int rows, int cells) {
        if (mask == mask_ && rows == rows_) return;
        mask_ = mask;
        rows_ = rows;
        const int groups = (rows + rows_per_group - 1) / rows_per_group;
        seen_by_.assign(cells, 0);
        for (int g = 0; g < groups; ++g) {
            seen_[g].assign(cells, 0);
            for (int r = g * rows_per_group; r < std::min(rows, (g + 1) * rows_per_group); ++r) {
                const ggml_fp16_t * row = reinterpret_cast<const ggml_fp16_t *>(mask + r * row_bytes);
                for (int c = 0; c < cells; ++c) seen_[g][c] |= row[c] != masked;
            }
            for (int c = 0; c < cells; ++c) seen_by_[c] += seen_[g][c];
        }
        shared.clear();
        for (int c = 0; c < cells; ++c) {
            if (2 * seen_by_[c] > groups || (groups == 1 && seen_by_[c])) shared.push_back(c);
        }
        for (int g = 0; g < groups; ++g) {
            own[g].clear();
            for (int c = 0; c < cells; ++c) {
                if (seen_[g][c] && 2 * seen_by_[c] <= groups && groups > 1) own[g].push_back(c);
            }
        }
    }

private:
    const char * mask_ = nullptr;
    int rows_ = 0;
    std::vector<uint8_t> seen_by_;  // groups
    std::vector<uint8_t> seen_[groups_per_tile];
};

// One head's rows of a tile, in the middle of their softmax.
struct TileRows {
    int64_t dk, dv;
    float * q;       // [rows_per_tile][dk]
    float * kq;      // [rows_per_tile][cells_per_tile]
    float * out;     // [rows_per_tile][dv]
    float * keys;    // [dk][cells_per_tile]
    float * values;  // [cells_per_tile][dv]
    float sum[rows_per_tile];
    float most[rows_per_tile];
};

struct HeadCells {
    const char * k;
    const char * v;
    size_t k_bytes, v_bytes;  // from cell to cell
    ggml_type type;
    const char * mask;  // of the tile's first row; null: everything is seen
    size_t mask_bytes;
    float slope, scale, softcap;
};

inline const float * as_floats(const char * from, float * to, int64_t n, ggml_type type) {
    if (type != GGML_TYPE_F16) return reinterpret_cast<const float *>(from);
    ggml_cpu_fp16_to_fp32(reinterpret_cast<const ggml_fp16_t *>(from), to, n);
    return to;
}

// Rows [first, first + rows) of the tile attend to `count` cells; list: null means cells 0, 1, ...
inline void attend(TileRows & tile, const HeadCells & head, const int32_t * list, int count, int first, int rows) {
    for (int begin = 0; begin < count; begin += cells_per_tile) {
        const int cells = std::min(cells_per_tile, count - begin);
        const auto cell = [&](int c) -> int64_t { return list ? list[begin + c] : begin + c; };
        for (int c = 0; c < cells; ++c) {
            const float * key = as_floats(head.k + cell(c) * head.k_bytes, tile.values, tile.dk, head.type);
            for (int64_t d = 0; d < tile.dk; ++d) tile.keys[d * cells_per_tile + c] = key[d];
        }
        float * kq = tile.kq;
        memset(kq, 0, rows * cells_per_tile * sizeof(float));
        simd_gemm(kq, tile.q + first * tile.dk, tile.keys, rows, tile.dk, cells_per_tile);
        ggml_vec_scale_f32(rows * cells_per_tile, kq, head.scale);
        if (head.softcap != 0.0f) {
            ggml_vec_tanh_f32(rows * cells_per_tile, kq, kq);
            ggml_vec_scale_f32(rows * cells_per_tile, kq, head.softcap);
        }
        for (int r = 0; r < rows; ++r) {
            float * row = kq + r * cells_per_tile;
            for (int c = cells; c < cells_per_tile; ++c) row[c] = -INFINITY;
            if (head.mask) {
                const auto * mask = reinterpret_cast<const ggml_fp16_t *>(head.mask + (first + r) * head.mask_bytes);
                for (int c = 0; c < cells; ++c) row[c] += head.slope * GGML_CPU_FP16_TO_FP32(mask[cell(c)]);
            }
            float & most = tile.most[first + r];
            float & sum = tile.sum[first + r];
            float here;
            ggml_vec_max_f32(cells_per_tile, &here, row);
            if (here == -INFINITY) {
                memset(row, 0, cells_per_tile * sizeof(float));
                continue;
            }
            if (here > most) {
                const float shrink = expf(most - here);
                ggml_vec_scale_f32(tile.dv, tile.out + (first + r) * tile.dv, shrink);
                sum *= shrink;
                most = here;
            }
            sum += ggml_vec_soft_max_f32(cells_per_tile, row, row, most);
        }
        for (int c = 0; c < cells; ++c) {
            const char * value = head.v + cell(c) * head.v_bytes;
            float * to = tile.values + c * tile.dv;
            const float * from = as_floats(value, to, tile.dv, head.type);
            if (from != to) memcpy(to, from, tile.dv * sizeof(float));
        }
        // What lies beyond the last cell has weight 0 and must still be a number.
        memset(tile.values + cells * tile.dv, 0, (cells_per_tile - cells) * tile.dv * sizeof(float));
        simd_gemm(tile.out + first * tile.dv, kq, tile.values, rows, cells_per_tile, tile.dv);
    }
}

}  // namespace thinktree

// Rows [ir0, ir1) of dst, counted over rows, then heads, then batches.
static void thinktree_tree_attention(const ggml_compute_params * params, ggml_tensor * dst, int64_t ir0, int64_t ir1) {
    using namespace thinktree;
    const ggml_tensor * q = dst->src[0];
    const ggml_tensor * k = dst->src[1];
    const ggml_tensor * v = dst->src[2];
    const ggml_tensor * mask = dst->src[3];
    const ggml_tensor * sinks = dst->src[4];
    GGML_ASSERT(!mask || mask->type == GGML_TYPE_F16);
    const int64_t rows = q->ne[1], heads = q->ne[2];
    const int cells = static_cast<int>(k->ne[1]);

    float scale, max_bias, softcap;
    memcpy(&scale, reinterpret_cast<const float *>(dst->op_params) + 0, sizeof(float));
    memcpy(&max_bias, reinterpret_cast<const float *>(dst->op_params) + 1, sizeof(float));
    memcpy(&softcap, reinterpret_cast<const float *>(dst->op_params) + 2, sizeof(float));
    if (softcap != 0.0f) scale /= softcap;
    // ALiBi (Press et al. 2021), as in ggml's own kernels
    const uint32_t heads_log2 = 1u << static_cast<uint32_t>(floor(log2(static_cast<double>(heads))));
    const float m0 = powf(2.0f, -max_bias / heads_log2), m1 = powf(2.0f, -(max_bias / 2.0f) / heads_log2);

    TileRows tile;
    tile.dk = k->ne[0];
    tile.dv = v->ne[0];
    const size_t scratch = rows_per_tile * (tile.dk + 2 * cells_per_tile + tile.dv) +
                           cells_per_tile * (tile.dk + tile.dv) + CACHE_LINE_SIZE_F32;
    tile.q = static_cast<float *>(params->wdata) + params->ith * scratch;
    tile.kq = tile.q + rows_per_tile * tile.dk;
    tile.out = tile.kq + 2 * rows_per_tile * cells_per_tile;
    tile.values = tile.out + rows_per_tile * tile.dv;
    tile.keys = tile.values + cells_per_tile * tile.dv;

    TilePlan plan;
    for (int64_t ir = ir0; ir < ir1;) {
        const int64_t i3 = ir / (heads * rows), i2 = ir / rows % heads, i1 = ir % rows;
        const int own = static_cast<int>(std::min<int64_t>(rows_per_tile, std::min(ir1 - ir, rows - i1)));
        const int64_t k2 = i2 / (heads / k->ne[2]), k3 = i3 / (q->ne[3] / k->ne[3]);
        const int64_t v2 = i2 / (heads / v->ne[2]), v3 = i3 / (q->ne[3] / v->ne[3]);
        const uint32_t h = static_cast<uint32_t>(i2);
        HeadCells head;
        head.k = static_cast<const char *>(k->data) + k2 * k->nb[2] + k3 * k->nb[3];
        head.v = static_cast<const char *>(v->data) + v2 * v->nb[2] + v3 * v->nb[3];
        head.k_bytes = k->nb[1];
        head.v_bytes = v->nb[1];
        head.type = k->type;
        head.mask = mask ? static_cast<const char *>(mask->data) + i1 * mask->nb[1] + i2 % mask->ne[2] * mask->nb[2] +
                               i3 % mask->ne[3] * mask->nb[3]
                         : nullptr;
        head.mask_bytes = mask ? mask->nb[1] : 0;
        head.slope = max_bias <= 0.0f ? 1.0f : h < heads_log2 ? powf(m0, h + 1) : powf(m1, 2 * (h - heads_log2) + 1);
        head.scale = scale;
        head.softcap = softcap;

        for (int r = 0; r < own; ++r) {
            memcpy(tile.q + r * tile.dk,
                   static_cast<const char *>(q->data) + (i1 + r) * q->nb[1] + i2 * q->nb[2] + i3 * q->nb[3],
                   tile.dk * sizeof(float));
            tile.sum[r] = 0;
            tile.most[r] = -INFINITY;
        }
        memset(tile.out, 0, own * tile.dv * sizeof(float));
        memset(tile.keys, 0, tile.dk * cells_per_tile * sizeof(float));

        if (head.mask) {
            plan.read(head.mask, head.mask_bytes, own, cells);
            attend(tile, head, plan.shared.data(), static_cast<int>(plan.shared.size()), 0, own);
            for (int g = 0; g * rows_per_group < own; ++g) {
                const int first = g * rows_per_group;
                const int count = static_cast<int>(plan.own[g].size());
                attend(tile, head, plan.own[g].data(), count, first, std::min(rows_per_group, own - first));
            }
        } else {
            attend(tile, head, nullptr, cells, 0, own);
        }

        for (int r = 0; r < own; ++r) {
            float * out = tile.out + r * tile.dv;
            if (sinks) {
                const float s = static_cast<const float *>(sinks->data)[h];
                const float most = std::max(tile.most[r], s);
                const float shrink = expf(tile.most[r] - most);
                ggml_vec_scale_f32(tile.dv, out, shrink);
                tile.sum[r] = tile.sum[r] * shrink + expf(s - most);
            }
            ggml_vec_scale_f32(tile.dv, out, tile.sum[r] == 0.0f ? 0.0f : 1.0f / tile.sum[r]);
            // dst is permuted: [dv, heads, rows, batches]
            memcpy(static_cast<char *>(dst->data) +
                       (i3 * dst->ne[2] * dst->ne[1] + i2 + (i1 + r) * dst->ne[1]) * dst->nb[1],
                   out, tile.dv * sizeof(float));
        }
        ir += own;
    }
}
