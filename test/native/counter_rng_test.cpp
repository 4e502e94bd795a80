// Checks that the counter generator is Philox4x32-10 to the bit, and that streams and positions do not resemble
// their neighbours.
#include "base/counter_rng.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <set>

#include "harness.h"

namespace {

using namespace thinktree;
using Words = std::array<uint32_t, 4>;

// Random123's kat_vectors, philox4x32 10.
TEST(philox_gives_the_published_words) {
    CHECK((philox(0, {0, 0, 0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    CHECK((philox(~uint64_t{0}, {~0u, ~0u, ~0u, ~0u}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    CHECK((philox(0x299f31d0a4093822, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}) ==
           Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(uniforms_lie_strictly_between_0_and_1) {
    double low = 1, high = 0, sum = 0, squares = 0;
    constexpr int n = 100000;
    for (uint32_t i = 0; i < n; ++i) {
        const double u = uniform_at(7, i);
        low = std::min(low, u);
        high = std::max(high, u);
        sum += u;
        squares += u * u;
    }
    CHECK(low > 0);
    CHECK(high < 1);
    CHECK(low < 1e-4);
    CHECK(high > 1 - 1e-4);
    CHECK(std::abs(sum / n - 0.5) < 0.005);
    CHECK(std::abs(squares / n - 1.0 / 3) < 0.005);
}

// The largest and the smallest value that 52 bits can give.
TEST(a_uniform_of_all_ones_or_zeros_is_still_inside) {
    const auto from_bits = [](uint64_t mantissa) { return (static_cast<double>(mantissa) + 0.5) * 0x1p-52; };
    CHECK(from_bits((uint64_t{1} << 52) - 1) < 1.0);
    CHECK(from_bits(0) > 0.0);
}

TEST(neighbouring_positions_and_keys_share_no_pattern) {
    for (const bool by_key : {false, true}) {
        double covariance = 0;
        int flipped = 0;
        constexpr uint32_t n = 20000;
        const auto bits = [&](uint32_t i) { return by_key ? philox(i, {3, 0, 0, 0}) : philox(3, {i, 0, 0, 0}); };
        const auto uniform = [&](uint32_t i) { return by_key ? uniform_at(i, 3) : uniform_at(3, i); };
        for (uint32_t i = 0; i < n; ++i) {
            covariance += (uniform(i) - 0.5) * (uniform(i + 1) - 0.5);
            flipped += std::popcount(bits(i)[0] ^ bits(i + 1)[0]);
        }
        CHECK(std::abs(covariance / n) < 0.003);  // its standard deviation is 1/12/sqrt(n) = 0.0006
        CHECK(std::abs(flipped / static_cast<double>(n) - 16) < 0.1);
    }
}

TEST(forks_draws_and_seeds_never_share_a_stream) {
    std::set<uint64_t> seen;
    size_t made = 0;
    for (uint64_t seed = 0; seed < 50; ++seed) {
        seen.insert(seed);
        const uint64_t root = fork_key(seed, 0);
        seen.insert(root);
        made += 2;
        for (uint32_t fork = 0; fork < 50; ++fork) {
            const uint64_t child = fork_key(root, fork);
            seen.insert(child);
            seen.insert(fork_key(child, 0));
            made += 2;
        }
    }
    CHECK_EQ(seen.size(), made);
    // The counter of a fork differs from that of a draw at the same number.
    const Words draw = philox(5, {9, 0, 0, 0});
    CHECK(fork_key(5, 9) != ((uint64_t{draw[0]} << 32) | draw[1]));
}

}  // namespace
