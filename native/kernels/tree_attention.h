// Owns: attention on the CPU of a batch's rows over one KV cache, each row seeing what its tree plan lists.
// Must not know: trees, sequences, models. Thread: ggml's compute threads.
//
// Included by llama.cpp's ggml-cpu/ops.cpp (native/cmake/llama.patch). A unit of work is some rows of a batch and all
// heads, or some. The query vectors of a KV head meet the cells of a segment as one matrix product, since grouped query
// heads share their keys and values as rows share their prefix:
//
//      prompt of 512 cells, 64 rows x 7 heads      448 x 512        once for all rows
//      a branch's own 256 cells, 1 row x 7 heads     7 x 256        gathered
//
// Keys and values are copied into packed floats before they are multiplied in any case (the cache holds halves, or
// quants), so that gathering costs what reading costs: memory is the limit, and a unit takes all heads of a block of
// cells, which lie side by side, before it goes on to the next. Softmax is kept online (Milakov & Gimelshein 2018), in
// single precision.
#pragma once

#include "packed_cells.h"
#include "prefetch.h"
#include "tree_plan.h"

namespace thinktree {

constexpr int vectors_per_block = 32;  // query vectors whose scores stay in the first-level cache
constexpr int vectors_per_unit = 512;  // and those whose sums stay in the second
// Accumulators of a matrix product: rows x columns, within the registers that there are.
#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int gemm_rows = 8;
#else
constexpr int gemm_rows = 4;
#endif
constexpr int gemm_columns = 2;
static_assert(cells_per_block % (gemm_columns * lanes) == 0, "a block is whole vectors");

// c[rows][n] (+)= a[rows][k] b[k][n], where n is a multiple of the lanes.
template <int rows, int columns, bool add>
inline void multiply_tile(float * c, const float * a, const float * b, int64_t k, int64_t n, int64_t a_stride,
                          int64_t c_stride) {
    GGML_F32_VEC sum[rows][columns];
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) {
            sum[i][j] = add ? GGML_F32_VEC_LOAD(c + i * c_stride + j * lanes) : GGML_F32_VEC_SET1(0.0f);
        }
    }
    for (int64_t d = 0; d < k; ++d) {
        GGML_F32_VEC from[columns];
        for (int j = 0; j < columns; ++j) from[j] = GGML_F32_VEC_LOAD(b + d * n + j * lanes);
        for (int i = 0; i < rows; ++i) {
            const GGML_F32_VEC factor = GGML_F32_VEC_SET1(a[i * a_stride + d]);
            for (int j = 0; j < columns; ++j) sum[i][j] = GGML_F32_VEC_FMA(sum[i][j], from[j], factor);
        }
    }
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) GGML_F32_VEC_STORE(c + i * c_stride + j * lanes, sum[i][j]);
    }
}

template <int rows, bool add>
inline void multiply_rows(float * c, const float * a, const float * b, int64_t k, int64_t n, int64_t a_stride,
                          int64_t c_stride) {
    int64_t j = 0;
    for (; j + gemm_columns * lanes <= n; j += gemm_columns * lanes) {
        multiply_tile<rows, gemm_columns, add>(c + j, a, b + j, k, n, a_stride, c_stride);
    }
    for (; j < n; j += lanes) multiply_tile<rows, 1, add>(c + j, a, b + j, k, n, a_stride, c_stride);
}

template <bool add, int rows = gemm_rows>
inline void multiply(float * c, const float * a, const float * b, int64_t m, int64_t k, int64_t n, int64_t a_stride,
                     int64_t c_stride) {
    for (; m >= rows; m -= rows, a += rows * a_stride, c += rows * c_stride) {
        multiply_rows<rows, add>(c, a, b, k, n, a_stride, c_stride);
    }
    if constexpr (rows > 1) {
        if (m > 0) multiply<add, rows - 1>(c, a, b, m, k, n, a_stride, c_stride);
    }
}

// Attention of the vectors of one unit, in the middle of their softmax.
class AttentionUnit {
public:
    AttentionUnit(const ggml_tensor * dst, const PlanView & plan)
        : q_(dst->src[0]),
          k_(dst->src[1]),
          v_(dst->src[2]),
          sinks_(dst->src[4]),
          dst_(dst),
          plan_(plan),
          dk_(k_->ne[0]),
          dv_(v_->ne[0]),
          dv_padded_((dv_ + lanes - 1) / lanes * lanes) {
        memcpy(&scale_, &dst->op_params[0], sizeof(float));
        memcpy(&softcap_, &dst->op_params[2], sizeof(float));
        if (softcap_ != 0.0f) scale_ /= softcap_;
    }

    // Plan rows from `first_row` on, KV heads from `first_kv_head` on, and of those each `heads` query heads from
    // `first_head` on.
    void attend(int first_row, int rows, int first_kv_head, int kv_heads, int first_head, int heads) {
        first_row_ = first_row;
        rows_ = rows;
        first_kv_head_ = first_kv_head;
        kv_heads_ = kv_heads;
        first_head_ = first_head;
        heads_ = heads;
        load();
        for (const TreeSegment & segment : plan_) {
            const int begin = std::max(first_row, segment.first_row);
            const int end = std::min(first_row + rows, segment.first_row + segment.rows);
            if (begin < end) attend(segment, begin - first_row, end - first_row);
        }
        store();
    }

private:
    struct Scratch {
        std::vector<float> queries, out, sum, most, scores, keys, values;
    };

    void load() {
        const auto vectors = static_cast<size_t>(kv_heads_ * rows_ * heads_);
        Scratch & s = scratch();
        s.queries.resize(vectors * dk_);
        s.out.assign(vectors * dv_padded_, 0.0f);
        s.sum.assign(vectors, 0.0f);
        s.most.assign(vectors, -INFINITY);
        s.scores.resize(vectors_per_block * cells_per_block);
        s.keys.resize(static_cast<size_t>(dk_ * cells_per_block));
        s.values.resize(static_cast<size_t>(dv_padded_ * cells_per_block));
        for (size_t i = 0; i < vectors; ++i) {
            const auto [row, head] = row_and_head(static_cast<int>(i));
            float * to = s.queries.data() + i * dk_;
            memcpy(to, static_cast<const char *>(q_->data) + row * q_->nb[1] + head * q_->nb[2], dk_ * sizeof(float));
            ggml_vec_scale_f32(static_cast<int>(dk_), to, scale_);
        }
    }

    // Vectors are in the order of KV heads, then rows, then query heads.
    std::pair<int64_t, int64_t> row_and_head(int vector) const {
        const int64_t kv_head = first_kv_head_ + vector / (rows_ * heads_);
        const int64_t row = plan_.order()[first_row_ + vector / heads_ % rows_];
        return {row, kv_head * (q_->ne[2] / k_->ne[2]) + first_head_ + vector % heads_};
    }

    // Rows [begin, end) of the unit.
    void attend(const TreeSegment & segment, int begin, int end) {
        const int32_t * cells = plan_.cells(segment);
        const int32_t * counts =
            segment.first_count < 0 ? nullptr : plan_.counts(segment) + first_row_ - segment.first_row;
        const int seen = counts == nullptr ? segment.cells : *std::max_element(counts + begin, counts + end);
        Scratch & s = scratch();
        for (int cell = 0; cell < seen; cell += cells_per_block) {
            const int n = std::min(cells_per_block, seen - cell);
            // Cells lie wherever there was room, so the next block is asked for now, a share with each head: usually
            // that is in this segment, or in this unit's next.
            const int32_t * next = cells + cell + n;
            const auto ahead = std::min<int64_t>(cells_per_block, plan_.cells_end() - next);
            for (int h = 0; h < kv_heads_; ++h) {
                fetch(k_, next + ahead * h / kv_heads_, next + ahead * (h + 1) / kv_heads_);
                CellRows(k_, cells + cell, n, first_kv_head_ + h).as_columns(s.keys.data());
                CellRows(v_, cells + cell, n, first_kv_head_ + h).as_rows(s.values.data(), dv_padded_);
                fetch(v_, next + ahead * h / kv_heads_, next + ahead * (h + 1) / kv_heads_);
                const int end_vector = (h * rows_ + end) * heads_;
                for (int at = (h * rows_ + begin) * heads_; at < end_vector; at += vectors_per_block) {
                    const int vectors = std::min(vectors_per_block, end_vector - at);
                    score(at, vectors);
                    // What no cell has filled in and what a row does not see.
                    for (int i = 0; i < vectors; ++i) {
                        const int row = (at + i) / heads_ - h * rows_;
                        const int sees = counts == nullptr ? n : std::clamp(counts[row] - cell, 0, n);
                        float * scores = s.scores.data() + i * cells_per_block;
                        for (int c = sees; c < cells_per_block; ++c) scores[c] = -INFINITY;
                    }
                    weigh(at, vectors, n);
                }
            }
        }
    }

    // What this unit will want of some cells.
    void fetch(const ggml_tensor * cache, const int32_t * cells, const int32_t * end) const {
        for (; cells < end; ++cells) {
            prefetch(static_cast<const char *>(cache->data) + *cells * cache->nb[1] + first_kv_head_ * cache->nb[2],
                     kv_heads_ * static_cast<int64_t>(cache->nb[2]));
        }
    }

    // scores[vectors][cells_per_block]
    void score(int first, int vectors) {
        Scratch & s = scratch();
        multiply<false>(s.scores.data(), s.queries.data() + first * dk_, s.keys.data(), vectors, dk_, cells_per_block,
                        dk_, cells_per_block);
        if (softcap_ != 0.0f) {
            const int n = vectors * cells_per_block;
            ggml_vec_tanh_f32(n, s.scores.data(), s.scores.data());
            ggml_vec_scale_f32(n, s.scores.data(), softcap_);
        }
    }

    void weigh(int first, int vectors, int cells) {
        Scratch & s = scratch();
        for (int i = 0; i < vectors; ++i) {
            float * row = s.scores.data() + i * cells_per_block;
            float & most = s.most[static_cast<size_t>(first + i)];
            float & sum = s.sum[static_cast<size_t>(first + i)];
            const float here = largest(row);
            if (here == -INFINITY) {
                memset(row, 0, cells_per_block * sizeof(float));
                continue;
            }
            if (here > most) {
                const float shrink = expf(most - here);
                ggml_vec_scale_f32(static_cast<int>(dv_padded_), s.out.data() + (first + i) * dv_padded_, shrink);
                sum *= shrink;
                most = here;
            }
            sum += exponentials(row, most);
        }
        multiply<true>(s.out.data() + first * dv_padded_, s.scores.data(), s.values.data(), vectors, cells, dv_padded_,
                       cells_per_block, dv_padded_);
    }

    static float largest(const float * row) {
#if defined(__AVX512F__)
        __m512 most = _mm512_loadu_ps(row);
        for (int c = lanes; c < cells_per_block; c += lanes) most = _mm512_max_ps(most, _mm512_loadu_ps(row + c));
        return _mm512_reduce_max_ps(most);
#else
        float most[lanes];
        for (int j = 0; j < lanes; ++j) most[j] = row[j];
        for (int c = lanes; c < cells_per_block; c += lanes) {
            for (int j = 0; j < lanes; ++j) most[j] = row[c + j] > most[j] ? row[c + j] : most[j];
        }
        return *std::max_element(most, most + lanes);
#endif
    }

    // row = exp(row - most); the sum of it.
    static float exponentials(float * row, float most) {
#if defined(__AVX512F__)
        const __m512 shift = _mm512_set1_ps(most);
        __m512 sum = _mm512_setzero_ps();
        for (int c = 0; c < cells_per_block; c += lanes) {
            const __m512 weight = ggml_v_expf(_mm512_sub_ps(_mm512_loadu_ps(row + c), shift));
            sum = _mm512_add_ps(sum, weight);
            _mm512_storeu_ps(row + c, weight);
        }
        return _mm512_reduce_add_ps(sum);
#else
        return static_cast<float>(ggml_vec_soft_max_f32(cells_per_block, row, row, most));
#endif
    }

    void store() {
        Scratch & s = scratch();
        for (int i = 0; i < kv_heads_ * rows_ * heads_; ++i) {
            const auto [row, head] = row_and_head(i);
            float * out = s.out.data() + i * dv_padded_;
            float sum = s.sum[static_cast<size_t>(i)];
            if (sinks_) {
                const float most = s.most[static_cast<size_t>(i)];
                const float sink = static_cast<const float *>(sinks_->data)[head];
                const float with = std::max(most, sink);
                ggml_vec_scale_f32(static_cast<int>(dv_), out, expf(most - with));
                sum = sum * expf(most - with) + expf(sink - with);
            }
            ggml_vec_scale_f32(static_cast<int>(dv_), out, sum == 0.0f ? 0.0f : 1.0f / sum);
            // dst is permuted: [dv, heads, rows]
            memcpy(static_cast<char *>(dst_->data) + head * dst_->nb[1] + row * dst_->nb[2], out, dv_ * sizeof(float));
        }
    }

    // Kept from layer to layer.
    static Scratch & scratch() {
        static thread_local Scratch scratch;
        return scratch;
    }

    const ggml_tensor *q_, *k_, *v_, *sinks_, *dst_;
    const PlanView & plan_;
    const int64_t dk_, dv_, dv_padded_;
    float scale_, softcap_;
    int first_row_ = 0, rows_ = 0, first_kv_head_ = 0, kv_heads_ = 0, first_head_ = 0, heads_ = 0;
};

}  // namespace thinktree

static void thinktree_tree_attention(const ggml_compute_params * params, ggml_tensor * dst) {
    using namespace thinktree;
    const ggml_tensor * q = dst->src[0];
    const PlanView plan(dst->src[3]->data);
    GGML_ASSERT(plan.header().magic == plan_magic && plan.header().rows == q->ne[1] && q->ne[3] == 1);

    const int rows = static_cast<int>(q->ne[1]), heads = static_cast<int>(q->ne[2]);
    const int kv_heads = static_cast<int>(dst->src[1]->ne[2]), group = heads / kv_heads;
    const auto parts = [](int whole, int part) { return (whole + part - 1) / part; };
    // Enough units for all threads: of fewer rows first, since a row's own cells are then read by one thread alone;
    // then of fewer KV heads; then of fewer query heads.
    const int tiles = std::min(rows, std::max(parts(rows, std::max(1, vectors_per_unit / heads)), params->nth));
    const int kv_splits = std::min(kv_heads, parts(params->nth, tiles));
    const int splits = std::min(group, parts(params->nth, tiles * kv_splits));
    const int tile_rows = parts(rows, tiles), unit_kv_heads = parts(kv_heads, kv_splits),
              unit_heads = parts(group, splits);

    AttentionUnit unit(dst, plan);
    for (int u = params->ith; u < tiles * kv_splits * splits; u += params->nth) {
        const int row = u / (kv_splits * splits) * tile_rows;
        const int kv_head = u / splits % kv_splits * unit_kv_heads, head = u % splits * unit_heads;
        if (row >= rows || kv_head >= kv_heads || head >= group) continue;
        unit.attend(row, std::min(tile_rows, rows - row), kv_head, std::min(unit_kv_heads, kv_heads - kv_head), head,
                    std::min(unit_heads, group - head));
    }
}
