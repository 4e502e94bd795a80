// Owns: the product of a matrix of quants with a batch's rows, on processors that add up products of bytes (VNNI).
// Must not know: models, attention. Thread: ggml's compute threads.
//
// Included by llama.cpp's ggml-cpu/ops.cpp (native/cmake/llama.patch). llama.cpp multiplies one weight row with one of
// the batch, so that each 32 products of bytes cost a conversion to floats and a scaling of their partial sums. Here a
// lane is a weight row: 32 weights of each of 16 (or 8) rows are transposed into registers once, and then meet the 32
// bytes of every row of the batch. What they cost beside their products is shared by all lanes, nothing is added up
// across lanes, and weights stay where they are, as they are, mapped from their file.
//
// The batch's rows are quantised as llama.cpp does it, so the sums over 32 weights are the same integers; what differs
// is the order in which these are added up in single precision.
#pragma once

#include <algorithm>

#include "prefetch.h"
#include "products.h"
#include "weight_tiles.h"

#if defined(THINKTREE_MULTIPLIES_BYTES)
namespace thinktree {

constexpr int batch_rows_per_unit = 64;  // whose sums stay in the first-level cache
// 32 registers hold the tiles of two vectors of weight rows, which then share the loads of the batch's bytes.
constexpr int tiles_per_unit = byte_lanes == 16 ? 2 : 1;
constexpr int weights_per_unit = byte_lanes * tiles_per_unit;

// Of super-blocks: bytes, a scale and eight sums.
static_assert(QK_K + sizeof(float) + QK_K / weights_per_part * sizeof(int16_t) <= sizeof(block_q8_K));

// A batch's rows as quants, a part of all rows after the other: the products take unsigned bytes on this side, so each
// is 128 too large. No larger than llama.cpp's own rows of quants, for which `memory` was made.
class BatchQuants {
public:
    // Weights in super-blocks of 256 meet a batch in such.
    BatchQuants(void * memory, const ggml_tensor * from, bool of_super_blocks)
        : from_(from),
          of_super_blocks_(of_super_blocks),
          rows_(from->ne[1]),
          parts_(from->ne[0] / weights_per_part),
          bytes_(static_cast<uint8_t *>(memory)),
          scales_(bytes_ + rows_ * from->ne[0]),
          sums_(reinterpret_cast<int16_t *>(scales_ + rows_ * (from->ne[0] / QK_K) * sizeof(float))) {}

    // One thread's share: what it writes lies together.
    void fill(int ith, int nth) {
        const int64_t blocks = parts_ / parts_per_block();
        for (int64_t b = blocks * ith / nth; b < blocks * (ith + 1) / nth; ++b) {
            for (int64_t row = 0; row < rows_; ++row) {
                const char * floats = static_cast<const char *>(from_->data) + row * from_->nb[1];
                fill(b, row, reinterpret_cast<const float *>(floats) + b * parts_per_block() * weights_per_part);
            }
        }
    }

    const uint8_t * bytes(int64_t part, int64_t row) const { return bytes_ + (part * rows_ + row) * weights_per_part; }

    // What the bytes of rows from `row` on are to be multiplied with.
    void scales(int64_t part, int64_t row, int rows, float * to) const {
        const int64_t at = part / parts_per_block() * rows_ + row;
        if (of_super_blocks_) {
            memcpy(to, scales_ + at * sizeof(float), static_cast<size_t>(rows) * sizeof(float));
        } else {
            ggml_cpu_fp16_to_fp32(reinterpret_cast<const ggml_fp16_t *>(scales_) + at, to, rows);
        }
    }

    // The sums of their quants, scaled. Of super-blocks alone.
    void sums(int64_t part, int64_t row, int rows, const float * scales, float * to) const {
        for (int i = 0; i < rows; ++i) to[i] = scales[i] * static_cast<float>(sums_[part * rows_ + row + i]);
    }

private:
    int64_t parts_per_block() const { return of_super_blocks_ ? QK_K / weights_per_part : 1; }

    void fill(int64_t block, int64_t row, const float * from) {
        if (!of_super_blocks_) {
            block_q8_0 quants;
            quantize_row_q8_0(from, &quants, QK8_0);
            put(block, row, quants.qs);
            memcpy(scales_ + (block * rows_ + row) * sizeof quants.d, &quants.d, sizeof quants.d);
            return;
        }
        block_q8_K quants;
        quantize_row_q8_K(from, &quants, QK_K);
        memcpy(scales_ + (block * rows_ + row) * sizeof quants.d, &quants.d, sizeof quants.d);
        for (int64_t i = 0; i < parts_per_block(); ++i) {
            const int64_t part = block * parts_per_block() + i;
            put(part, row, quants.qs + i * weights_per_part);
            sums_[part * rows_ + row] = static_cast<int16_t>(quants.bsums[2 * i] + quants.bsums[2 * i + 1]);
        }
    }

    void put(int64_t part, int64_t row, const int8_t * quants) {
        uint8_t * to = bytes_ + (part * rows_ + row) * weights_per_part;
        for (int i = 0; i < weights_per_part; ++i) to[i] = static_cast<uint8_t>(quants[i] + 128);
    }

    const ggml_tensor * from_;
    const bool of_super_blocks_;
    const int64_t rows_, parts_;
    uint8_t *bytes_, *scales_;  // halves, or floats of super-blocks
    int16_t * sums_;
};

// Some rows of a product's weights times some of its batch.
template <typename Reader>
class ProductUnit {
public:
    ProductUnit(const ggml_tensor * product, const BatchQuants & batch)
        : weights_(product->src[0]), product_(product), batch_(batch) {}

    // `then`: the first of the weight rows that this thread is likely to have next.
    void multiply(int64_t first_weight, int64_t first_row, int rows, int64_t then) const {
        const int64_t left = weights_->ne[1] - first_weight;
        const char * lanes[weights_per_unit];
        for (int64_t i = 0; i < weights_per_unit; ++i) {
            lanes[i] = row_of(first_weight + std::min(i, left - 1));  // the last stands in for what is not there
        }
        alignas(64) float results[batch_rows_per_unit * weights_per_unit];
        memset(results, 0, sizeof(float) * rows * weights_per_unit);
        const int64_t blocks = weights_->ne[0] / (weights_per_part * Reader::parts_per_block);
        for (int64_t b = 0; b < blocks; ++b) {
            fetch(then, b);
            multiply(lanes, b, first_row, rows, results);
        }
        for (int row = 0; row < rows; ++row) {
            memcpy(static_cast<char *>(product_->data) + (first_row + row) * product_->nb[1] +
                       first_weight * sizeof(float),
                   results + row * weights_per_unit, std::min<int64_t>(left, weights_per_unit) * sizeof(float));
        }
    }

private:
    using Tile = typename Reader::Tile;

    void multiply(const char * const * lanes, int64_t block, int64_t first_row, int rows, float * results) const {
        const auto at = block * static_cast<int64_t>(sizeof(typename Reader::Block));
        Reader readers[tiles_per_unit];
        for (int i = 0; i < tiles_per_unit; ++i) readers[i].open(lanes + i * byte_lanes, at);
        for (int p = 0; p < Reader::parts_per_block; ++p) {
            const int64_t part = block * Reader::parts_per_block + p;
            alignas(64) float scales[batch_rows_per_unit], sums[batch_rows_per_unit];
            batch_.scales(part, first_row, rows, scales);
            if constexpr (Tile::has_less) batch_.sums(part, first_row, rows, scales, sums);
            Tile tiles[tiles_per_unit];
            for (int i = 0; i < tiles_per_unit; ++i) readers[i].read(lanes + i * byte_lanes, at, p, tiles[i]);
            add(tiles, batch_.bytes(part, first_row), scales, sums, rows, results);
        }
    }

    static void add(const Tile (&tiles)[tiles_per_unit], const uint8_t * bytes, const float * scales,
                    const float * sums, int rows, float * results) {
        constexpr int dwords_per_scale = dwords_per_part / Tile::scales_per_part;
        Dwords corrections[tiles_per_unit][Tile::scales_per_part];
        for (int i = 0; i < tiles_per_unit; ++i) {
            for (int s = 0; s < Tile::scales_per_part; ++s) {
                Dwords excess = repeated(0);
                for (int j = s * dwords_per_scale; j < (s + 1) * dwords_per_scale; ++j) {
                    excess = add_products(excess, repeated(static_cast<int32_t>(0x80808080)), tiles[i].bytes[j]);
                }
                corrections[i][s] = negated(excess);
            }
        }
        for (int row = 0; row < rows; ++row, bytes += weights_per_part, results += weights_per_unit) {
            Dwords products[tiles_per_unit][Tile::scales_per_part];
            memcpy(products, corrections, sizeof products);
            for (int j = 0; j < dwords_per_part; ++j) {
                int32_t four;
                memcpy(&four, bytes + j * sizeof four, sizeof four);
                for (int i = 0; i < tiles_per_unit; ++i) {
                    Dwords & sum = products[i][j / dwords_per_scale];
                    sum = add_products(sum, repeated(four), tiles[i].bytes[j]);
                }
            }
            for (int i = 0; i < tiles_per_unit; ++i) {
                float * to = results + i * byte_lanes;
                Floats result = load(to);
                for (int s = 0; s < Tile::scales_per_part; ++s) {
                    const Floats scale = product(tiles[i].scales[s], repeated(scales[row]));
                    result = plus_product(result, to_floats(products[i][s]), scale);
                }
                if constexpr (Tile::has_less) result = minus_product(result, tiles[i].less, repeated(sums[row]));
                store(to, result);
            }
        }
    }

    // The rows of a unit lie one after the other, but are read side by side, which no prefetcher sees through: at each
    // block, as many bytes of a later unit are asked for.
    void fetch(int64_t first_weight, int64_t block) const {
        constexpr int64_t bytes = sizeof(typename Reader::Block) * weights_per_unit;
        prefetch(row_of(first_weight) + block * bytes, bytes);
    }

    const char * row_of(int64_t weight) const {
        return static_cast<const char *>(weights_->data) + weight * weights_->nb[1];
    }

    const ggml_tensor *weights_, *product_;
    const BatchQuants & batch_;
};

template <typename Reader>
void multiply_quants(const ggml_compute_params * params, ggml_tensor * product) {
    const int64_t rows = product->ne[1];
    BatchQuants batch(params->wdata, product->src[1], Reader::parts_per_block > 1);
    batch.fill(params->ith, params->nth);
    if (params->ith == 0) ggml_threadpool_chunk_set(params->threadpool, params->nth);
    ggml_barrier(params->threadpool);

    const auto parts = [](int64_t whole, int64_t part) { return (whole + part - 1) / part; };
    const int64_t row_parts = parts(rows, batch_rows_per_unit);
    const int64_t units = parts(product->ne[0], weights_per_unit) * row_parts;
    const auto first_weight = [&](int64_t unit) { return unit / row_parts * weights_per_unit; };
    const ProductUnit<Reader> unit(product, batch);
    for (int64_t u = params->ith; u < units; u = ggml_threadpool_chunk_add(params->threadpool, 1)) {
        const int64_t first_row = u % row_parts * batch_rows_per_unit;
        const auto rows_here = static_cast<int>(std::min<int64_t>(batch_rows_per_unit, rows - first_row));
        unit.multiply(first_weight(u), first_row, rows_here, first_weight(u + params->nth));
    }
}

}  // namespace thinktree
#endif

bool thinktree_multiplies_type(int type) {
#if defined(THINKTREE_MULTIPLIES_BYTES)
    switch (type) {
        case GGML_TYPE_Q4_0:
        case GGML_TYPE_Q5_0:
        case GGML_TYPE_Q8_0:
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K:
        case GGML_TYPE_Q6_K: return true;
        default: return false;
    }
#else
    (void)type;
    return false;
#endif
}

bool thinktree_multiplies(const ggml_tensor * product) {
    const ggml_tensor *weights = product->src[0], *batch = product->src[1];
    return thinktree_multiplies_type(weights->type) && batch->type == GGML_TYPE_F32 && ggml_is_matrix(weights) &&
           ggml_is_matrix(batch) && batch->ne[1] > 1;  // one row alone is as fast as its weights can be read
}

void thinktree_multiply(const ggml_compute_params * params, ggml_tensor * product) {
#if defined(THINKTREE_MULTIPLIES_BYTES)
    using namespace thinktree;
    switch (product->src[0]->type) {
        case GGML_TYPE_Q4_0: return multiply_quants<Q4_0Reader>(params, product);
        case GGML_TYPE_Q5_0: return multiply_quants<Q5_0Reader>(params, product);
        case GGML_TYPE_Q8_0: return multiply_quants<Q8_0Reader>(params, product);
        case GGML_TYPE_Q4_K: return multiply_quants<Q4_KReader>(params, product);
        case GGML_TYPE_Q5_K: return multiply_quants<Q5_KReader>(params, product);
        case GGML_TYPE_Q6_K: return multiply_quants<Q6_KReader>(params, product);
        default: break;
    }
#endif
    (void)params;
    (void)product;
    GGML_ABORT("not one of thinktree's products");
}
