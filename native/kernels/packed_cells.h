// Owns: cells of a KV cache as packed floats: keys with a cell a column, values with a cell a row.
// Must not know: who sees them. Thread: ggml's compute threads. Included by tree_attention.h.
//
// Gathering costs what reading costs, so the types that caches usually have are made into floats in registers, and keys
// transposed there. All other types, widths and machines go through a row of floats.
#pragma once

#include "quants.h"

namespace thinktree {

constexpr int cells_per_block = 64;
constexpr int lanes = GGML_F32_EPR;

#if defined(__AVX512F__)
#define THINKTREE_PACKS_IN_REGISTERS

inline __m512 load_halves(const char * from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)));
}

inline __m512 load_bytes(const int8_t * from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from))));
}

inline void transpose(__m512 (&a)[16], float * to, int64_t to_stride) {
    __m512 b[16];
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    const auto low = [](__m512 x, __m512 y) {
        return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
    };
    const auto high = [](__m512 x, __m512 y) {
        return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)));
    };
    for (int i = 0; i < 16; i += 4) {
        a[i] = low(b[i], b[i + 2]);
        a[i + 1] = high(b[i], b[i + 2]);
        a[i + 2] = low(b[i + 1], b[i + 3]);
        a[i + 3] = high(b[i + 1], b[i + 3]);
    }
    // a[4 g + j] holds columns j, j + 4, j + 8, j + 12 of rows 4 g to 4 g + 3, in 128-bit lanes.
    for (int j = 0; j < 4; ++j) {
        const __m512 even_low = _mm512_shuffle_f32x4(a[j], a[4 + j], 0x88);
        const __m512 odd_low = _mm512_shuffle_f32x4(a[j], a[4 + j], 0xDD);
        const __m512 even_high = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0x88);
        const __m512 odd_high = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0xDD);
        _mm512_storeu_ps(to + j * to_stride, _mm512_shuffle_f32x4(even_low, even_high, 0x88));
        _mm512_storeu_ps(to + (j + 4) * to_stride, _mm512_shuffle_f32x4(odd_low, odd_high, 0x88));
        _mm512_storeu_ps(to + (j + 8) * to_stride, _mm512_shuffle_f32x4(even_low, even_high, 0xDD));
        _mm512_storeu_ps(to + (j + 12) * to_stride, _mm512_shuffle_f32x4(odd_low, odd_high, 0xDD));
    }
}
#elif defined(__AVX2__) && defined(__F16C__)
#define THINKTREE_PACKS_IN_REGISTERS

inline __m256 load_halves(const char * from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from)));
}

inline __m256 load_bytes(const int8_t * from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(from))));
}

inline void transpose(__m256 (&a)[8], float * to, int64_t to_stride) {
    __m256 b[8];
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    // a[4 g + j] holds columns j and j + 4 of rows 4 g to 4 g + 3, in 128-bit lanes.
    for (int i = 0; i < 8; i += 4) {
        a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
        a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
        a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
        a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
    }
    for (int j = 0; j < 4; ++j) {
        _mm256_storeu_ps(to + j * to_stride, _mm256_permute2f128_ps(a[j], a[4 + j], 0x20));
        _mm256_storeu_ps(to + (j + 4) * to_stride, _mm256_permute2f128_ps(a[j], a[4 + j], 0x31));
    }
}
#endif

// The cells' rows of one KV head.
class CellRows {
public:
    CellRows(const ggml_tensor * cache, const int32_t * cells, int n, int kv_head)
        : cache_(cache),
          rows_(static_cast<const char *>(cache->data) + kv_head * cache->nb[2]),
          cells_(cells),
          n_(n),
          width_(cache->ne[0]) {}

    // to[width][cells_per_block]; what lies beyond the last cell is finite and not to be looked at.
    void as_columns(float * to) const {
#if defined(THINKTREE_PACKS_IN_REGISTERS)
        if (width_ % lanes == 0) {
            if (cache_->type == GGML_TYPE_F16) return columns<GGML_TYPE_F16>(to);
            if (cache_->type == GGML_TYPE_Q8_0) return columns<GGML_TYPE_Q8_0>(to);
        }
#endif
        static thread_local std::vector<float> row;
        row.resize(static_cast<size_t>(width_));
        for (int c = 0; c < n_; ++c) {
            to_floats(c, row.data());
            for (int64_t d = 0; d < width_; ++d) to[d * cells_per_block + c] = row[static_cast<size_t>(d)];
        }
    }

    // to[cells][stride]
    void as_rows(float * to, int64_t stride) const {
#if defined(THINKTREE_PACKS_IN_REGISTERS)
        if (width_ % lanes == 0) {
            if (cache_->type == GGML_TYPE_F16) return rows<GGML_TYPE_F16>(to, stride);
            if (cache_->type == GGML_TYPE_Q8_0) return rows<GGML_TYPE_Q8_0>(to, stride);
        }
#endif
        for (int c = 0; c < n_; ++c) to_floats(c, to + c * stride);
    }

private:
    const char * row(int c) const { return rows_ + cells_[c] * cache_->nb[1]; }

    void to_floats(int c, float * to) const {
        const char * from = row(c);
        switch (cache_->type) {
            case GGML_TYPE_F32: memcpy(to, from, static_cast<size_t>(width_) * sizeof(float)); break;
            case GGML_TYPE_F16: ggml_cpu_fp16_to_fp32(reinterpret_cast<const ggml_fp16_t *>(from), to, width_); break;
            default: ggml_get_type_traits(cache_->type)->to_float(from, to, width_);
        }
    }

#if defined(THINKTREE_PACKS_IN_REGISTERS)
    // Elements d, d + 1, ... of a row.
    template <ggml_type type>
    static GGML_F32_VEC load(const char * row, int64_t d) {
        if constexpr (type == GGML_TYPE_F16) {
            return load_halves(row + d * static_cast<int64_t>(sizeof(ggml_fp16_t)));
        } else {
            const block_q8_0 & block = reinterpret_cast<const block_q8_0 *>(row)[d / QK8_0];
            return GGML_F32_VEC_MUL(load_bytes(block.qs + d % QK8_0),
                                    GGML_F32_VEC_SET1(GGML_CPU_FP16_TO_FP32(block.d)));
        }
    }

    template <ggml_type type>
    void columns(float * to) const {
        for (int begin = 0; begin < n_; begin += lanes) {
            const char * from[lanes];
            for (int c = 0; c < lanes; ++c) from[c] = row(std::min(begin + c, n_ - 1));
            for (int64_t d = 0; d < width_; d += lanes) {
                GGML_F32_VEC block[lanes];
                for (int c = 0; c < lanes; ++c) block[c] = load<type>(from[c], d);
                transpose(block, to + d * cells_per_block + begin, cells_per_block);
            }
        }
    }

    template <ggml_type type>
    void rows(float * to, int64_t stride) const {
        for (int c = 0; c < n_; ++c) {
            const char * from = row(c);
            for (int64_t d = 0; d < width_; d += lanes) GGML_F32_VEC_STORE(to + c * stride + d, load<type>(from, d));
        }
    }
#endif

    const ggml_tensor * cache_;
    const char * rows_;
    const int32_t * cells_;
    const int n_;
    const int64_t width_;
};

}  // namespace thinktree
