// Owns: exp for whole rows of logits. Must not know: what they are. Thread: any.
#pragma once

#include <bit>
#include <cstdint>

namespace thinktree {

// exp(x) for x <= 0 to within 2 ulp or so, without a call or a branch, so that compilers vectorise loops over it.
// Degree-5 minimax polynomial on [-ln2/2, ln2/2] (Cephes expf). Below -87 the result is about 1e-38: nothing.
inline float fast_exp(float x) {
    x = x < -87.0f ? -87.0f : x;
    const float n = static_cast<float>(static_cast<int32_t>(x * 1.44269504f - 0.5f));
    float r = x - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const auto bits = static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23;
    return p * std::bit_cast<float>(bits);
}

}  // namespace thinktree
