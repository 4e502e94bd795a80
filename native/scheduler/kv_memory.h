// Owns: how one amount of memory becomes the KV cells of two models. Must not know: contexts, searches. Thread: any.
//
// Both caches hold the same tree, each in its own tokens. Where one is too small, paths are given up and computed
// again: about as many tokens as cells are missing in proportion (docs/decisions/0015), each at its model's parameters.
// So the least is lost where
//
//      parameters / cells        summed over both models, with        bytes a cell x cells = memory
//
// is smallest: cells in proportion to sqrt(parameters / bytes a cell).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace thinktree {

struct CacheOwner {
    double parameters = 0;
    double cell_bytes = 0;  // 0: there is no such model
};

// What llama.cpp rounds a context up to: less than one of it is no cache, and a part of it would be more memory.
constexpr int32_t cells_unit = 256;
constexpr int32_t most_cells = 1 << 20;

// Of the generator and the verifier; 0 for a model that is not there. Throws Error (invalid_option).
inline std::array<int32_t, 2> split_memory(double bytes, const CacheOwner & generator, const CacheOwner & verifier) {
    const auto weight = [](const CacheOwner & o) {
        return o.cell_bytes > 0 ? std::sqrt(o.parameters / o.cell_bytes) : 0.0;
    };
    const double whole = weight(generator) * generator.cell_bytes + weight(verifier) * verifier.cell_bytes;
    const auto cells = [&](const CacheOwner & o) {
        if (o.cell_bytes == 0) return 0;
        const double units = std::floor(bytes * weight(o) / whole / cells_unit);
        return static_cast<int32_t>(std::min<double>(units, most_cells / cells_unit)) * cells_unit;
    };
    const std::array<int32_t, 2> split{cells(generator), cells(verifier)};
    if (split[0] == 0 || (split[1] == 0 && verifier.cell_bytes > 0)) {
        double least = 0;
        for (const CacheOwner & o : {generator, verifier}) {
            if (o.cell_bytes > 0) least = std::max(least, cells_unit * whole / weight(o));
        }
        throw Error(ErrorCode::invalid_option, "kvMib is too small for a cache of " + std::to_string(cells_unit) +
                                                   " cells for each model: use at least " +
                                                   std::to_string(static_cast<int64_t>(std::ceil(least / (1 << 20)))));
    }
    return split;
}

}  // namespace thinktree
