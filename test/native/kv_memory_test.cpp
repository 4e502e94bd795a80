// One amount of memory for two caches.
#include "scheduler/kv_memory.h"

#include <random>

#include "harness.h"

using namespace thinktree;

namespace {

constexpr double mib = 1 << 20;

double lost(const CacheOwner & a, int32_t a_cells, const CacheOwner & b, int32_t b_cells) {
    return a.parameters / a_cells + b.parameters / b_cells;
}

}  // namespace

TEST(memory_of_equal_models_is_halved) {
    const CacheOwner model{.parameters = 5e8, .cell_bytes = 12288};
    CHECK((split_memory(384 * mib, {model, model}) == std::vector<int32_t>{16384, 16384}));
}

TEST(memory_of_one_model_is_its_own) {
    const CacheOwner model{.parameters = 5e8, .cell_bytes = 12288};
    CHECK((split_memory(192 * mib, {model}) == std::vector<int32_t>{16384}));
}

TEST(memory_is_split_so_that_the_least_work_is_lost) {
    std::mt19937 random(3);
    std::uniform_real_distribution<double> parameters(7, 10.5), bytes(3, 5.5), megabytes(1.5, 4);
    for (int round = 0; round < harness::rounds(2000); ++round) {
        const CacheOwner generator{std::pow(10, parameters(random)), std::floor(std::pow(10, bytes(random)))};
        const CacheOwner verifier{std::pow(10, parameters(random)), std::floor(std::pow(10, bytes(random)))};
        const double memory = std::pow(10, megabytes(random)) * mib;
        std::vector<int32_t> split;
        try {
            split = split_memory(memory, {generator, verifier});
        } catch (const Error & error) {
            CHECK(error.code == ErrorCode::invalid_option);
            continue;
        }
        const int32_t g = split[0], v = split[1];
        CHECK(g % cells_unit == 0 && v % cells_unit == 0);
        CHECK(g * generator.cell_bytes + v * verifier.cell_bytes <= memory);
        if (g == most_cells || v == most_cells || g < 8 * cells_unit || v < 8 * cells_unit) continue;
        // No other split of the memory is better by more than what whole units leave over.
        for (const double factor : {0.5, 0.8, 1.25, 2.0}) {
            const double other_g = g * factor;
            const double other_v = (memory - other_g * generator.cell_bytes) / verifier.cell_bytes;
            if (other_v < 1) continue;
            CHECK(lost(generator, g, verifier, v) <=
                  1.15 * (generator.parameters / other_g + verifier.parameters / other_v));
        }
    }
}

TEST(memory_for_less_than_a_cache_is_refused_with_what_would_do) {
    const CacheOwner generator{.parameters = 5e8, .cell_bytes = 12288},
        verifier{.parameters = 7e9, .cell_bytes = 57344};
    const auto needed = [&](double bytes) -> std::string {
        try {
            split_memory(bytes, {generator, verifier});
        } catch (const Error & error) {
            return error.what();
        }
        return "";
    };
    const std::string message = needed(4 * mib);
    const auto least = static_cast<double>(std::stoi(message.substr(message.rfind(' ') + 1)));
    CHECK(needed(least * mib).empty());
    CHECK(!needed((least - 1) * mib).empty());
}
