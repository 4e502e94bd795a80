// Owns: half precision as its bits (IEEE 754, rounded to nearest even). Must not know: CUDA. Thread: any. C++17, for
// nvcc.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

inline float float_of_half(uint16_t half) {
    static const std::vector<float> values = [] {
        std::vector<float> all(1 << 16);
        for (uint32_t bits = 0; bits < all.size(); ++bits) {
            const uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
            const uint32_t wide = (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
            float size = std::ldexp(static_cast<float>(fraction), -24);
            if (exponent != 0) std::memcpy(&size, &wide, sizeof size);
            all[bits] = bits >> 15 != 0 ? -size : size;
        }
        return all;
    }();
    return values[half];
}

inline uint16_t half_of_float(float x) {
    const auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
    const float size = std::fabs(x);
    if (!(size < 65520.0f)) return static_cast<uint16_t>(sign | (std::isnan(x) ? 0x7E00 : 0x7C00));
    constexpr float smallest_normal = 6.1035156e-5f;
    const int exponent = std::max(size, smallest_normal) == size ? std::ilogb(size) : -14;
    const auto steps = static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));  // 1024 to 2048 if normal
    return static_cast<uint16_t>(sign | (((exponent + 14) << 10) + steps));
}
