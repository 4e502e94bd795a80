// Owns: vectors of 32-bit lanes that add up products of bytes (VNNI), and rows of bytes transposed into them.
// Must not know: what the bytes mean. Thread: ggml's compute threads. Included by quant_products.h.
#pragma once

#include "quants.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define THINKTREE_MULTIPLIES_BYTES
#define THINKTREE_BYTE_LANES_512
#elif defined(__AVXVNNI__) && defined(__F16C__)
#define THINKTREE_MULTIPLIES_BYTES
#endif

#if defined(THINKTREE_MULTIPLIES_BYTES)
namespace thinktree {

#if defined(THINKTREE_BYTE_LANES_512)
using Dwords = __m512i;
using Floats = __m512;
constexpr int byte_lanes = 16;

inline Dwords repeated(int32_t value) { return _mm512_set1_epi32(value); }
inline Dwords negated(Dwords value) { return _mm512_sub_epi32(_mm512_setzero_si512(), value); }
inline Dwords both(Dwords a, Dwords b) { return _mm512_and_si512(a, b); }
inline Dwords either(Dwords a, Dwords b) { return _mm512_or_si512(a, b); }
inline Dwords shifted_left(Dwords value, int bits) { return _mm512_slli_epi32(value, static_cast<unsigned>(bits)); }
inline Dwords shifted_right(Dwords value, int bits) { return _mm512_srli_epi32(value, static_cast<unsigned>(bits)); }
inline Dwords times(Dwords value, int32_t factor) { return _mm512_mullo_epi32(value, repeated(factor)); }
inline Dwords less_in_bytes(Dwords a, Dwords b) { return _mm512_sub_epi8(a, b); }
// The byte at `shift` bits of each lane, as a signed number.
inline Dwords signed_byte(Dwords value, int shift) { return _mm512_srai_epi32(shifted_left(value, 24 - shift), 24); }
// sums + the products of each lane's unsigned `bytes` with its signed `quants`
inline Dwords add_products(Dwords sums, Dwords bytes, Dwords quants) {
    return _mm512_dpbusd_epi32(sums, bytes, quants);
}

inline Floats repeated(float value) { return _mm512_set1_ps(value); }
inline Floats load(const float * from) { return _mm512_loadu_ps(from); }
inline void store(float * to, Floats value) { _mm512_storeu_ps(to, value); }
inline Floats to_floats(Dwords value) { return _mm512_cvtepi32_ps(value); }
inline Floats product(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats plus_product(Floats sum, Floats a, Floats b) { return _mm512_fmadd_ps(a, b, sum); }
inline Floats minus_product(Floats sum, Floats a, Floats b) { return _mm512_fnmadd_ps(a, b, sum); }
// The lower half of each lane is a number of half precision.
inline Floats from_halves(Dwords value) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(value)); }

inline Dwords low_dwords(Dwords a, Dwords b) { return _mm512_unpacklo_epi32(a, b); }
inline Dwords high_dwords(Dwords a, Dwords b) { return _mm512_unpackhi_epi32(a, b); }
inline Dwords low_pairs(Dwords a, Dwords b) { return _mm512_unpacklo_epi64(a, b); }
inline Dwords high_pairs(Dwords a, Dwords b) { return _mm512_unpackhi_epi64(a, b); }
// 16 bytes of every fourth lane from `lanes` on.
inline Dwords every_fourth(const char * const * lanes, int64_t at) {
    const auto row = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(lanes[i] + at)); };
    const Dwords half = _mm512_inserti32x4(_mm512_castsi128_si512(row(0)), row(4), 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(half, row(8), 2), row(12), 3);
}
#else
using Dwords = __m256i;
using Floats = __m256;
constexpr int byte_lanes = 8;

inline Dwords repeated(int32_t value) { return _mm256_set1_epi32(value); }
inline Dwords negated(Dwords value) { return _mm256_sub_epi32(_mm256_setzero_si256(), value); }
inline Dwords both(Dwords a, Dwords b) { return _mm256_and_si256(a, b); }
inline Dwords either(Dwords a, Dwords b) { return _mm256_or_si256(a, b); }
inline Dwords shifted_left(Dwords value, int bits) { return _mm256_slli_epi32(value, bits); }
inline Dwords shifted_right(Dwords value, int bits) { return _mm256_srli_epi32(value, bits); }
inline Dwords times(Dwords value, int32_t factor) { return _mm256_mullo_epi32(value, repeated(factor)); }
inline Dwords less_in_bytes(Dwords a, Dwords b) { return _mm256_sub_epi8(a, b); }
inline Dwords signed_byte(Dwords value, int shift) { return _mm256_srai_epi32(shifted_left(value, 24 - shift), 24); }
inline Dwords add_products(Dwords sums, Dwords bytes, Dwords quants) {
    return _mm256_dpbusd_avx_epi32(sums, bytes, quants);
}

inline Floats repeated(float value) { return _mm256_set1_ps(value); }
inline Floats load(const float * from) { return _mm256_loadu_ps(from); }
inline void store(float * to, Floats value) { _mm256_storeu_ps(to, value); }
inline Floats to_floats(Dwords value) { return _mm256_cvtepi32_ps(value); }
inline Floats product(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats plus_product(Floats sum, Floats a, Floats b) { return _mm256_fmadd_ps(a, b, sum); }
inline Floats minus_product(Floats sum, Floats a, Floats b) { return _mm256_fnmadd_ps(a, b, sum); }
inline Floats from_halves(Dwords value) {
    const Dwords low = both(value, repeated(0xFFFF));
    const Dwords packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

inline Dwords low_dwords(Dwords a, Dwords b) { return _mm256_unpacklo_epi32(a, b); }
inline Dwords high_dwords(Dwords a, Dwords b) { return _mm256_unpackhi_epi32(a, b); }
inline Dwords low_pairs(Dwords a, Dwords b) { return _mm256_unpacklo_epi64(a, b); }
inline Dwords high_pairs(Dwords a, Dwords b) { return _mm256_unpackhi_epi64(a, b); }
inline Dwords every_fourth(const char * const * lanes, int64_t at) {
    const auto row = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(lanes[i] + at)); };
    return _mm256_inserti128_si256(_mm256_castsi128_si256(row(0)), row(4), 1);
}
#endif

// What each lane has there, as an unsigned number.
template <typename Number = uint32_t>
inline Dwords dwords_at(const char * const * lanes, int64_t at) {
    uint32_t numbers[byte_lanes];
    for (int i = 0; i < byte_lanes; ++i) {
        Number number;
        memcpy(&number, lanes[i] + at, sizeof number);
        numbers[i] = number;
    }
    Dwords all;
    memcpy(&all, numbers, sizeof all);
    return all;
}

inline Floats halves_at(const char * const * lanes, int64_t at) { return from_halves(dwords_at<uint16_t>(lanes, at)); }

// to[i] = dword i of each lane's 16 bytes.
inline void transpose_16(const char * const * lanes, int64_t at, Dwords (&to)[4]) {
    Dwords rows[4];
    for (int i = 0; i < 4; ++i) rows[i] = every_fourth(lanes + i, at);
    const Dwords a = low_dwords(rows[0], rows[1]), b = high_dwords(rows[0], rows[1]);
    const Dwords c = low_dwords(rows[2], rows[3]), d = high_dwords(rows[2], rows[3]);
    to[0] = low_pairs(a, c);
    to[1] = high_pairs(a, c);
    to[2] = low_pairs(b, d);
    to[3] = high_pairs(b, d);
}

// to[i] = dword i of each lane's 32 bytes.
inline void transpose_32(const char * const * lanes, int64_t at, Dwords (&to)[8]) {
    Dwords low[4], high[4];
    transpose_16(lanes, at, low);
    transpose_16(lanes, at + 16, high);
    for (int i = 0; i < 4; ++i) {
        to[i] = low[i];
        to[4 + i] = high[i];
    }
}

}  // namespace thinktree
#endif
