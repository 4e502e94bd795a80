// Owns: how one amount of memory becomes the KV cells of several models. Must not know: contexts, searches. Thread:
// any.
//
// All caches hold the same tree, each in its own tokens. Where one is too small, paths are given up and computed again:
// about as many tokens as 1 / cells (docs/decisions/0015), each at its model's parameters. So the least is lost where
//
//      parameters / cells        summed over the models, with        bytes a cell x cells = memory
//
// is smallest: cells in proportion to sqrt(parameters / bytes a cell).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace thinktree {

struct CacheOwner {
    double parameters;
    double cell_bytes;
};

// What llama.cpp rounds a context up to: less than one of it is no cache, and a part of it would be more memory.
constexpr int32_t cells_unit = 256;
constexpr int32_t most_cells = 1 << 20;

// Of each owner. Throws Error (invalid_option).
inline std::vector<int32_t> split_memory(double bytes, const std::vector<CacheOwner> & owners) {
    const auto weight = [](const CacheOwner & o) { return std::sqrt(o.parameters / o.cell_bytes); };
    double whole = 0, least = 0;
    for (const CacheOwner & o : owners) whole += weight(o) * o.cell_bytes;
    std::vector<int32_t> cells;
    for (const CacheOwner & o : owners) {
        const double units = std::floor(bytes * weight(o) / whole / cells_unit);
        cells.push_back(static_cast<int32_t>(std::min<double>(units, most_cells / cells_unit)) * cells_unit);
        least = std::max(least, cells_unit * whole / weight(o));
    }
    if (bytes < least) {
        throw Error(ErrorCode::invalid_option, "kvMib is too small for a cache of " + std::to_string(cells_unit) +
                                                   " cells for each model: use at least " +
                                                   std::to_string(static_cast<int64_t>(std::ceil(least / (1 << 20)))));
    }
    return cells;
}

}  // namespace thinktree
