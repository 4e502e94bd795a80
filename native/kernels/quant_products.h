// Owns: the product of a matrix of 8-bit quants (Q8_0) with a batch's rows, on processors that add up products of bytes
// (VNNI). Must not know: models, attention. Thread: ggml's compute threads.
//
// Included by llama.cpp's ggml-cpu/ops.cpp (native/cmake/llama.patch). llama.cpp multiplies one weight row with one of
// the batch, so that each 32 products of bytes cost a conversion to floats and a scaling of their partial sums. Here a
// lane is a weight row: a block of 32 quants of 16 (or 8) weight rows is transposed into registers once, and then meets
// the block of every row of the batch. What a block's sum costs beside its products is shared by all lanes, nothing is
// added up across lanes, and weights stay where they are, as they are, mapped from their file.
//
// The batch's rows are quantised as llama.cpp does it, so the sums over a block are the same integers; what differs is
// the order in which blocks are added up in single precision.
#pragma once

#include <algorithm>

#include "products.h"
#include "quants.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define THINKTREE_MULTIPLIES_QUANTS
#define THINKTREE_QUANTS_512
#elif defined(__AVXVNNI__) && defined(__F16C__)
#define THINKTREE_MULTIPLIES_QUANTS
#endif

#if defined(THINKTREE_MULTIPLIES_QUANTS)
namespace thinktree {

constexpr int quants_per_dword = 4;
constexpr int dwords_per_block = QK8_0 / quants_per_dword;
constexpr int batch_rows_per_unit = 64;  // whose sums stay in the first-level cache
constexpr int fewest_batch_rows = 2;     // one alone is as fast as its weights can be read

#if defined(THINKTREE_QUANTS_512)
using Dwords = __m512i;
using Floats = __m512;
constexpr int weight_lanes = 16;
constexpr int tiles_per_unit = 2;  // of a vector of weight rows each: 16 of 32 registers hold quants

inline Dwords repeated(int32_t value) { return _mm512_set1_epi32(value); }
inline Dwords negated(Dwords value) { return _mm512_sub_epi32(_mm512_setzero_si512(), value); }
inline Dwords add_products(Dwords sums, Dwords bytes, Dwords quants) {
    return _mm512_dpbusd_epi32(sums, bytes, quants);
}
inline Floats load(const float * from) { return _mm512_loadu_ps(from); }
inline void store(float * to, Floats value) { _mm512_storeu_ps(to, value); }
inline Floats add_scaled(Floats sum, Dwords value, Floats scale, float factor) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(value), _mm512_mul_ps(scale, _mm512_set1_ps(factor)), sum);
}
inline Floats from_halves(const ggml_half * halves) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(halves)));
}

// to[i] = the i-th four quants of the lanes' blocks.
inline void transpose_quants(const block_q8_0 * const * lanes, int64_t block, Dwords (&to)[dwords_per_block]) {
    Dwords rows[8], fours[8];
    for (int i = 0; i < 8; ++i) {
        const auto quants = [&](int row) {
            return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(lanes[row][block].qs));
        };
        rows[i] = _mm512_inserti64x4(_mm512_castsi256_si512(quants(i)), quants(i + 8), 1);
    }
    for (int i = 0; i < 8; i += 4) {
        const Dwords a = _mm512_unpacklo_epi32(rows[i], rows[i + 1]), b = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
        const Dwords c = _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]);
        const Dwords d = _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]);
        fours[i] = _mm512_unpacklo_epi64(a, c);
        fours[i + 1] = _mm512_unpackhi_epi64(a, c);
        fours[i + 2] = _mm512_unpacklo_epi64(b, d);
        fours[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    // fours[i + j] holds, in 128-bit lanes, dwords j and j + 4 of rows i to i + 3 and then of rows i + 8 to i + 11.
    const Dwords low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13),
                 high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    for (int j = 0; j < 4; ++j) {
        to[j] = _mm512_permutex2var_epi64(fours[j], low, fours[4 + j]);
        to[4 + j] = _mm512_permutex2var_epi64(fours[j], high, fours[4 + j]);
    }
}
#else
using Dwords = __m256i;
using Floats = __m256;
constexpr int weight_lanes = 8;
constexpr int tiles_per_unit = 1;

inline Dwords repeated(int32_t value) { return _mm256_set1_epi32(value); }
inline Dwords negated(Dwords value) { return _mm256_sub_epi32(_mm256_setzero_si256(), value); }
inline Dwords add_products(Dwords sums, Dwords bytes, Dwords quants) {
    return _mm256_dpbusd_avx_epi32(sums, bytes, quants);
}
inline Floats load(const float * from) { return _mm256_loadu_ps(from); }
inline void store(float * to, Floats value) { _mm256_storeu_ps(to, value); }
inline Floats add_scaled(Floats sum, Dwords value, Floats scale, float factor) {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(value), _mm256_mul_ps(scale, _mm256_set1_ps(factor)), sum);
}
inline Floats from_halves(const ggml_half * halves) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(halves)));
}

// to[i] = the i-th four quants of the lanes' blocks.
inline void transpose_quants(const block_q8_0 * const * lanes, int64_t block, Dwords (&to)[dwords_per_block]) {
    Dwords rows[8], fours[8];
    for (int i = 0; i < 8; ++i) {
        rows[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(lanes[i][block].qs));
    }
    for (int i = 0; i < 8; i += 4) {
        const Dwords a = _mm256_unpacklo_epi32(rows[i], rows[i + 1]), b = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
        const Dwords c = _mm256_unpacklo_epi32(rows[i + 2], rows[i + 3]);
        const Dwords d = _mm256_unpackhi_epi32(rows[i + 2], rows[i + 3]);
        fours[i] = _mm256_unpacklo_epi64(a, c);
        fours[i + 1] = _mm256_unpackhi_epi64(a, c);
        fours[i + 2] = _mm256_unpacklo_epi64(b, d);
        fours[i + 3] = _mm256_unpackhi_epi64(b, d);
    }
    // fours[i + j] holds, in 128-bit lanes, dwords j and j + 4 of rows i to i + 3.
    for (int j = 0; j < 4; ++j) {
        to[j] = _mm256_permute2x128_si256(fours[j], fours[4 + j], 0x20);
        to[4 + j] = _mm256_permute2x128_si256(fours[j], fours[4 + j], 0x31);
    }
}
#endif

// The same block of as many weight rows as a vector has lanes.
struct WeightTile {
    Dwords quants[dwords_per_block];
    Dwords correction;  // for the batch's bytes being 128 too large
    Floats scale;

    // `rows` are the lanes'.
    void load(const block_q8_0 * const * rows, int64_t block) {
        transpose_quants(rows, block, quants);
        Dwords excess = repeated(0);
        for (const Dwords four : quants)
            excess = add_products(excess, repeated(static_cast<int32_t>(0x80808080)), four);
        correction = negated(excess);
        ggml_half halves[weight_lanes];
        for (int lane = 0; lane < weight_lanes; ++lane) halves[lane] = rows[lane][block].d;
        scale = from_halves(halves);
    }
};

// A batch's rows as quants, a block of all rows after the other: the products take unsigned bytes on this side, so each
// is 128 too large. As large as llama.cpp's own rows of quants, for which `memory` was made.
class BatchQuants {
public:
    BatchQuants(void * memory, int64_t rows, int64_t blocks)
        : rows_(rows),
          blocks_(blocks),
          bytes_(static_cast<uint8_t *>(memory)),
          scales_(reinterpret_cast<ggml_half *>(bytes_ + rows * blocks * QK8_0)) {}

    // Blocks [begin, end) of all rows: what a thread writes lies together.
    void fill(const ggml_tensor * from, int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) {
            for (int64_t row = 0; row < rows_; ++row) {
                const char * floats = static_cast<const char *>(from->data) + row * from->nb[1];
                block_q8_0 block;
                quantize_row_q8_0(reinterpret_cast<const float *>(floats) + b * QK8_0, &block, QK8_0);
                uint8_t * to = bytes_ + (b * rows_ + row) * QK8_0;
                for (int i = 0; i < QK8_0; ++i) to[i] = static_cast<uint8_t>(block.qs[i] + 128);
                scales_[b * rows_ + row] = block.d;
            }
        }
    }

    const uint8_t * bytes(int64_t block, int64_t row) const { return bytes_ + (block * rows_ + row) * QK8_0; }
    const ggml_half * scales(int64_t block, int64_t row) const { return scales_ + block * rows_ + row; }

private:
    const int64_t rows_, blocks_;
    uint8_t * bytes_;
    ggml_half * scales_;
};

// Some rows of a product's weights times some of its batch.
class ProductUnit {
public:
    ProductUnit(const ggml_tensor * product, const BatchQuants & batch)
        : weights_(product->src[0]), product_(product), batch_(batch) {}

    // `then`: the first of the weight rows that this thread is likely to have next.
    void multiply(int64_t first_weight, int64_t first_row, int rows, int64_t then) {
        alignas(64) float sums[batch_rows_per_unit * weights_per_unit];
        memset(sums, 0, sizeof(float) * rows * weights_per_unit);
        // Where there is no weight row for a lane, the last stands in for it.
        const int64_t left = weights_->ne[1] - first_weight;
        const char * weights = static_cast<const char *>(weights_->data) + first_weight * weights_->nb[1];
        const block_q8_0 * lanes[weights_per_unit];
        for (int64_t i = 0; i < weights_per_unit; ++i) {
            lanes[i] = reinterpret_cast<const block_q8_0 *>(weights + std::min(i, left - 1) * weights_->nb[1]);
        }
        alignas(64) float scales[batch_rows_per_unit];
        for (int64_t b = 0; b < weights_->ne[0] / QK8_0; ++b) {
            fetch_ahead(then, b);
            WeightTile tiles[tiles_per_unit];
            for (int i = 0; i < tiles_per_unit; ++i) tiles[i].load(lanes + i * weight_lanes, b);
            ggml_cpu_fp16_to_fp32(reinterpret_cast<const ggml_fp16_t *>(batch_.scales(b, first_row)), scales, rows);
            add_block(tiles, batch_.bytes(b, first_row), scales, rows, sums);
        }
        for (int row = 0; row < rows; ++row) {
            memcpy(static_cast<char *>(product_->data) + (first_row + row) * product_->nb[1] +
                       first_weight * sizeof(float),
                   sums + row * weights_per_unit, std::min<int64_t>(left, weights_per_unit) * sizeof(float));
        }
    }

    static constexpr int weights_per_unit = weight_lanes * tiles_per_unit;

private:
    static void add_block(const WeightTile (&tiles)[tiles_per_unit], const uint8_t * bytes, const float * scales,
                          int rows, float * sums) {
        for (int row = 0; row < rows; ++row, bytes += QK8_0, sums += weights_per_unit) {
            Dwords products[tiles_per_unit];
            for (int i = 0; i < tiles_per_unit; ++i) products[i] = tiles[i].correction;
            for (int j = 0; j < dwords_per_block; ++j) {
                int32_t four;
                memcpy(&four, bytes + j * quants_per_dword, sizeof four);
                for (int i = 0; i < tiles_per_unit; ++i) {
                    products[i] = add_products(products[i], repeated(four), tiles[i].quants[j]);
                }
            }
            for (int i = 0; i < tiles_per_unit; ++i) {
                float * to = sums + i * weight_lanes;
                store(to, add_scaled(load(to), products[i], tiles[i].scale, scales[row]));
            }
        }
    }

    // The rows of a unit lie one after the other, but are read side by side, which no prefetcher sees through: at each
    // block, as many bytes of a later unit are asked for.
    void fetch_ahead(int64_t first_weight, int64_t block) const {
        constexpr int64_t bytes = sizeof(block_q8_0) * weights_per_unit;
        const char * next = static_cast<const char *>(weights_->data) + first_weight * weights_->nb[1] + block * bytes;
        for (int64_t at = 0; at < bytes; at += 64) _mm_prefetch(next + at, _MM_HINT_T1);
    }

    const ggml_tensor *weights_, *product_;
    const BatchQuants & batch_;
};

}  // namespace thinktree
#endif

bool thinktree_multiplies(const ggml_tensor * product) {
#if defined(THINKTREE_MULTIPLIES_QUANTS)
    const ggml_tensor *weights = product->src[0], *batch = product->src[1];
    return weights->type == GGML_TYPE_Q8_0 && batch->type == GGML_TYPE_F32 && ggml_is_matrix(weights) &&
           ggml_is_matrix(batch) && batch->ne[1] >= thinktree::fewest_batch_rows;
#else
    (void)product;
    return false;
#endif
}

void thinktree_multiply(const ggml_compute_params * params, ggml_tensor * product) {
#if defined(THINKTREE_MULTIPLIES_QUANTS)
    using namespace thinktree;
    const ggml_tensor *weights = product->src[0], *from = product->src[1];
    const int64_t rows = from->ne[1];
    const int64_t blocks = from->ne[0] / QK8_0;
    BatchQuants batch(params->wdata, rows, blocks);
    batch.fill(from, blocks * params->ith / params->nth, blocks * (params->ith + 1) / params->nth);
    if (params->ith == 0) ggml_threadpool_chunk_set(params->threadpool, params->nth);
    ggml_barrier(params->threadpool);

    const auto parts = [](int64_t whole, int64_t part) { return (whole + part - 1) / part; };
    const int64_t row_parts = parts(rows, batch_rows_per_unit);
    const int64_t units = parts(weights->ne[1], ProductUnit::weights_per_unit) * row_parts;
    ProductUnit unit(product, batch);
    for (int64_t u = params->ith; u < units; u = ggml_threadpool_chunk_add(params->threadpool, 1)) {
        const int64_t first_row = u % row_parts * batch_rows_per_unit;
        const auto first_weight = [&](int64_t nth) { return nth / row_parts * ProductUnit::weights_per_unit; };
        unit.multiply(first_weight(u), first_row,
                      static_cast<int>(std::min<int64_t>(batch_rows_per_unit, rows - first_row)),
                      first_weight(u + params->nth));
    }
#else
    (void)params;
    (void)product;
#endif
}
