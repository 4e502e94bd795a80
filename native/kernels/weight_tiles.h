// Owns: how weights of each type become bytes and scales, for as many weight rows at once as a vector has lanes.
// Must not know: what they are multiplied with. Thread: ggml's compute threads. Included by quant_products.h.
//
// A *part* is 32 weights of a row that lie side by side: a block of ggml's, or an eighth of a super-block. What a
// reader makes of the same part of each lane's row is a tile: signed bytes, four to a lane, their scale or scales (of
// 16 weights each), and for some types what the weights are less.
#pragma once

#include <cstddef>

#include "byte_lanes.h"

#if defined(THINKTREE_MULTIPLIES_BYTES)
namespace thinktree {

constexpr int weights_per_part = 32;
constexpr int dwords_per_part = weights_per_part / 4;

// weight = scale * byte - less
template <int scale_count, bool lessened>
struct WeightTile {
    static constexpr int scales_per_part = scale_count;
    static constexpr bool has_less = lessened;
    Dwords bytes[dwords_per_part];
    Floats scales[scale_count];
    Floats less;
};

// Readers are given where each lane's block begins, from `at` bytes on behind `lanes`, and then asked for its parts.

// Of a type whose blocks are one part each and have nothing to be read before it.
template <typename BlockOfType>
struct BlockReader {
    using Block = BlockOfType;
    using Tile = WeightTile<1, false>;
    static constexpr int parts_per_block = 1;

    void open(const char * const *, int64_t) {}
};

struct Q8_0Reader : BlockReader<block_q8_0> {
    void read(const char * const * lanes, int64_t at, int, Tile & tile) const {
        transpose_32(lanes, at + static_cast<int64_t>(offsetof(Block, qs)), tile.bytes);
        tile.scales[0] = halves_at(lanes, at);
    }
};

struct Q4_0Reader : BlockReader<block_q4_0> {
    void read(const char * const * lanes, int64_t at, int, Tile & tile) const {
        Dwords pairs[4];  // weight i in the low half of a byte, weight i + 16 in the high
        transpose_16(lanes, at + static_cast<int64_t>(offsetof(Block, qs)), pairs);
        for (int i = 0; i < 4; ++i) {
            tile.bytes[i] = less_in_bytes(both(pairs[i], repeated(0x0F0F0F0F)), repeated(0x08080808));
            tile.bytes[4 + i] =
                less_in_bytes(both(shifted_right(pairs[i], 4), repeated(0x0F0F0F0F)), repeated(0x08080808));
        }
        tile.scales[0] = halves_at(lanes, at);
    }
};

struct Q5_0Reader : BlockReader<block_q5_0> {
    void read(const char * const * lanes, int64_t at, int, Tile & tile) const {
        Dwords pairs[4];  // as in Q4_0, without the highest bits: bit i of `high` belongs to weight i
        transpose_16(lanes, at + static_cast<int64_t>(offsetof(Block, qs)), pairs);
        const Dwords high = dwords_at(lanes, at + static_cast<int64_t>(offsetof(Block, qh)));
        for (int i = 0; i < dwords_per_part; ++i) {
            const Dwords low = both(shifted_right(pairs[i % 4], i / 4 * 4), repeated(0x0F0F0F0F));
            // Four bits to the lowest of a byte each, which their copies at distances of 7 have there.
            const Dwords spread = times(both(shifted_right(high, 4 * i), repeated(0x0F)), 0x00204081);
            const Dwords top = shifted_left(both(spread, repeated(0x01010101)), 4);
            tile.bytes[i] = less_in_bytes(either(low, top), repeated(0x10101010));
        }
        tile.scales[0] = halves_at(lanes, at);
    }
};

// What the super-blocks of Q4_K and Q5_K begin with: two halves, and 12 bytes of scales and mins of 6 bits.
class KScales {
public:
    void open(const char * const * lanes, int64_t at) {
        Dwords header[4];
        transpose_16(lanes, at, header);
        scale_ = from_halves(header[0]);
        less_ = from_halves(shifted_right(header[0], 16));
        for (int i = 0; i < 3; ++i) packed_[i] = header[1 + i];
    }

    Floats scale(int part) const {
        const int shift = part % 4 * 8;
        if (part < 4) return product(scale_, bits(packed_[0], shift, 0x3F));
        return product(scale_, bits_of_two(packed_[2], shift, packed_[0], shift + 6));
    }
    Floats less(int part) const {
        const int shift = part % 4 * 8;
        if (part < 4) return product(less_, bits(packed_[1], shift, 0x3F));
        return product(less_, bits_of_two(packed_[2], shift + 4, packed_[1], shift + 6));
    }

private:
    static Floats bits(Dwords from, int shift, int32_t mask) {
        return to_floats(both(shifted_right(from, shift), repeated(mask)));
    }
    // Four bits and, above them, two.
    static Floats bits_of_two(Dwords low, int low_shift, Dwords high, int high_shift) {
        return to_floats(either(both(shifted_right(low, low_shift), repeated(0x0F)),
                                shifted_left(both(shifted_right(high, high_shift), repeated(0x03)), 4)));
    }

    Floats scale_, less_;
    Dwords packed_[3];
};

struct Q4_KReader {
    using Block = block_q4_K;
    using Tile = WeightTile<1, true>;
    static constexpr int parts_per_block = 8;

    void open(const char * const * lanes, int64_t at) { scales_.open(lanes, at); }
    void read(const char * const * lanes, int64_t at, int part, Tile & tile) const {
        // Two parts share their bytes.
        transpose_32(lanes, at + static_cast<int64_t>(offsetof(Block, qs)) + part / 2 * 32, tile.bytes);
        for (Dwords & four : tile.bytes) four = both(shifted_right(four, part % 2 * 4), repeated(0x0F0F0F0F));
        tile.scales[0] = scales_.scale(part);
        tile.less = scales_.less(part);
    }

private:
    KScales scales_;
};

struct Q5_KReader {
    using Block = block_q5_K;
    using Tile = WeightTile<1, true>;
    static constexpr int parts_per_block = 8;

    void open(const char * const * lanes, int64_t at) {
        scales_.open(lanes, at);
        transpose_32(lanes, at + static_cast<int64_t>(offsetof(Block, qh)), high_);
    }
    void read(const char * const * lanes, int64_t at, int part, Tile & tile) const {
        transpose_32(lanes, at + static_cast<int64_t>(offsetof(Block, qs)) + part / 2 * 32, tile.bytes);
        for (int i = 0; i < dwords_per_part; ++i) {
            const Dwords low = both(shifted_right(tile.bytes[i], part % 2 * 4), repeated(0x0F0F0F0F));
            tile.bytes[i] = either(low, shifted_left(both(shifted_right(high_[i], part), repeated(0x01010101)), 4));
        }
        tile.scales[0] = scales_.scale(part);
        tile.less = scales_.less(part);
    }

private:
    KScales scales_;
    Dwords high_[dwords_per_part];  // bit p of each byte belongs to part p
};

struct Q6_KReader {
    using Block = block_q6_K;
    using Tile = WeightTile<2, false>;
    static constexpr int parts_per_block = 8;

    void open(const char * const * lanes, int64_t at) {
        scale_ = halves_at(lanes, at + static_cast<int64_t>(offsetof(Block, d)));
        transpose_16(lanes, at + static_cast<int64_t>(offsetof(Block, scales)), scales_);
    }
    void read(const char * const * lanes, int64_t at, int part, Tile & tile) const {
        const int half = part / 4, quarter = part % 4;
        Dwords high[dwords_per_part];
        transpose_32(lanes, at + static_cast<int64_t>(offsetof(Block, ql)) + half * 64 + quarter % 2 * 32, tile.bytes);
        transpose_32(lanes, at + static_cast<int64_t>(offsetof(Block, qh)) + half * 32, high);
        for (int i = 0; i < dwords_per_part; ++i) {
            const Dwords low = both(shifted_right(tile.bytes[i], quarter / 2 * 4), repeated(0x0F0F0F0F));
            const Dwords top = shifted_left(both(shifted_right(high[i], 2 * quarter), repeated(0x03030303)), 4);
            tile.bytes[i] = less_in_bytes(either(low, top), repeated(0x20202020));
        }
        for (int i = 0; i < 2; ++i) {
            const int nth = 2 * part + i;
            tile.scales[i] = product(scale_, to_floats(signed_byte(scales_[nth / 4], nth % 4 * 8)));
        }
    }

private:
    Floats scale_;
    Dwords scales_[4];  // 16 bytes of each lane
};

}  // namespace thinktree
#endif
