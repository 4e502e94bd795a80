// Owns: into which free cells of a KV cache the tokens of a batch go. Must not know: what the cells hold.
// Thread: whoever decodes. C++17, since llama.cpp includes it.
//
// The first free cells would leave branches that are decoded together taking turns in memory, so that whoever reads one
// branch's cells reads a few bytes of every page. So a sequence goes on in the cell after its last one, up to the end
// of a *run* of cells; then it begins another run that is wholly free. What is free in someone's run is still free:
// when there are no free runs left, any free cell will do.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace thinktree {

constexpr uint32_t cells_per_run = 16;

// A cell for each of `n` tokens; none at all if there are not so many free ones. A cell whose position is below 0 is
// free. `head`: where to begin to look. `sequence(i)` is the i-th token's, below 256; `last(i)` is the cell of that
// sequence's last token, or -1.
template <class SequenceOf, class LastOf>
std::vector<uint32_t> slots_in_runs(const int32_t * positions, uint32_t size, uint32_t head, uint32_t n,
                                    const SequenceOf & sequence, const LastOf & last) {
    std::vector<uint32_t> slots;
    slots.reserve(n);
    std::array<int64_t, 256> last_of;
    std::array<bool, 256> known{};
    std::vector<bool> taken(size);
    const auto is_free = [&](uint32_t cell) { return positions[cell] < 0 && !taken[cell]; };
    const auto run_is_free = [&](uint32_t begin) {
        if (begin + cells_per_run > size) return false;
        for (uint32_t c = begin; c < begin + cells_per_run; ++c) {
            if (!is_free(c)) return false;
        }
        return true;
    };
    const uint32_t runs = size / cells_per_run;
    uint32_t run = runs == 0 ? 0 : head / cells_per_run % runs, runs_seen = 0;
    uint32_t cell = 0;  // below it there is none free that belongs to no run

    const auto next_slot = [&](int64_t before) -> int64_t {
        if (before >= 0 && before + 1 < size) {
            const auto after = static_cast<uint32_t>(before) + 1;
            if (after % cells_per_run != 0 ? is_free(after) : run_is_free(after)) return after;
        }
        for (; runs_seen < runs; ++runs_seen, run = (run + 1) % runs) {
            if (run_is_free(run * cells_per_run)) return run * cells_per_run;
        }
        for (; cell < size; ++cell) {
            if (is_free(cell)) return cell;
        }
        return -1;
    };
    for (uint32_t i = 0; i < n; ++i) {
        const auto s = static_cast<size_t>(sequence(i));
        if (!known[s]) last_of[s] = last(i);
        known[s] = true;
        const int64_t slot = next_slot(last_of[s]);
        if (slot < 0) return {};
        taken[static_cast<size_t>(slot)] = true;
        last_of[s] = slot;
        slots.push_back(static_cast<uint32_t>(slot));
    }
    return slots;
}

}  // namespace thinktree
