// Owns: random numbers by counter. The same (key, position) gives the same number whatever else is in the batch,
// so a branch's choices do not depend on its neighbours.
// Source: Philox4x32-10, Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3". Thread: any.
#pragma once

#include <array>
#include <cstdint>

namespace thinktree {

// Philox4x32-10: 128 random bits for a 64-bit key and a 128-bit counter.
inline std::array<uint32_t, 4> philox(uint64_t key, std::array<uint32_t, 4> counter) {
    auto k0 = static_cast<uint32_t>(key);
    auto k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = uint64_t{0xD2511F53u} * counter[0];
        const uint64_t p1 = uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<uint32_t>(p1),
                   static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<uint32_t>(p0)};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return counter;
}

// Uniform in (0, 1), for one draw at a token position of the stream `key`.
inline double uniform_at(uint64_t key, uint32_t position) {
    const auto bits = philox(key, {position, 0, 0, 0});
    const uint64_t mantissa = (uint64_t{bits[0]} << 20) ^ (bits[1] >> 12);  // 52 bits
    return (static_cast<double>(mantissa) + 0.5) * 0x1p-52;
}

// The stream of a branch's `index`-th fork: the branch's path of forks from the seed on is its whole identity.
inline uint64_t fork_key(uint64_t key, uint32_t index) {
    const auto bits = philox(key, {index, 0, 0, 1});  // word 3 keeps forks apart from draws
    return (uint64_t{bits[0]} << 32) | bits[1];
}

}  // namespace thinktree
