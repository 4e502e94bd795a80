// A KV cache as a search leaves it: which cells hold which positions of which sequences, and the rows of a batch.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "kernels/tree_plan.h"

namespace thinktree {

struct RandomCache {
    std::vector<int32_t> positions;  // -1: an empty cell
    std::vector<Sequences> sequences;
    std::vector<PlanRow> rows;

    bool sees(const PlanRow & row, size_t cell) const {
        return positions[cell] >= 0 && positions[cell] <= row.position &&
               sequences[cell].test(static_cast<size_t>(row.sequence));
    }
};

// A tree grown by random forks and releases, its cells in random places. Every sequence that is still there gets a row
// for its next token, and some of them several, as a prompt does.
inline RandomCache random_cache(std::mt19937 & random, int32_t cells, int32_t sequences, bool causal) {
    RandomCache cache;
    cache.positions.assign(static_cast<size_t>(cells), -1);
    cache.sequences.resize(static_cast<size_t>(cells));
    std::vector<size_t> free(static_cast<size_t>(cells));
    for (size_t i = 0; i < free.size(); ++i) free[i] = i;
    std::shuffle(free.begin(), free.end(), random);
    std::vector<int32_t> ends(static_cast<size_t>(sequences), -1);  // next position; -1: not there
    const auto append = [&](int32_t s) {
        const size_t cell = free.back();
        free.pop_back();
        cache.positions[cell] = ends[static_cast<size_t>(s)]++;
        cache.sequences[cell].set(static_cast<size_t>(s));
    };
    const auto below = [&](size_t n) { return static_cast<int32_t>(random() % n); };
    ends[0] = 0;
    for (int32_t i = 0; i < 1 + below(40); ++i) append(0);
    for (int32_t i = 0; i < 4 * sequences && free.size() > 8 * static_cast<size_t>(sequences); ++i) {
        const int32_t from = below(static_cast<size_t>(sequences)), to = below(static_cast<size_t>(sequences));
        if (ends[static_cast<size_t>(from)] < 0) continue;
        if (ends[static_cast<size_t>(to)] < 0) {  // a fork tags all that the parent has
            for (Sequences & cell : cache.sequences) {
                if (cell.test(static_cast<size_t>(from))) cell.set(static_cast<size_t>(to));
            }
            ends[static_cast<size_t>(to)] = ends[static_cast<size_t>(from)];
        }
        for (int32_t n = below(6); n > 0; --n) append(from);
    }
    for (int32_t s = 0; s < sequences; ++s) {
        if (ends[static_cast<size_t>(s)] < 0) continue;
        const int32_t tokens = causal && random() % 3 == 0 ? 1 + below(7) : 1;
        for (int32_t t = 0; t < tokens; ++t) {
            cache.rows.push_back({s, ends[static_cast<size_t>(s)]});
            append(s);
        }
    }
    return cache;
}

}  // namespace thinktree
