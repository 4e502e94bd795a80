// Owns: a set of sequence ids. Must not know: what a sequence holds. Thread: any.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "backend/backend.h"

namespace thinktree {

class SeqSet {
public:
    static constexpr SeqId capacity = 256;  // llama.cpp's LLAMA_MAX_SEQ

    void insert(SeqId id) { word(id) |= bit(id); }
    void erase(SeqId id) { word(id) &= ~bit(id); }
    bool contains(SeqId id) const { return (words_[index(id)] & bit(id)) != 0; }

    bool empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
    bool is_only(SeqId id) const { return contains(id) && size() == 1; }

    int size() const {
        int n = 0;
        for (const uint64_t w : words_) n += std::popcount(w);
        return n;
    }

    // Any member; the set must not be empty.
    SeqId any() const {
        size_t i = 0;
        while (words_[i] == 0) ++i;
        return static_cast<SeqId>(i * 64) + std::countr_zero(words_[i]);
    }

private:
    static size_t index(SeqId id) { return static_cast<size_t>(id) / 64; }
    static uint64_t bit(SeqId id) { return uint64_t{1} << (static_cast<uint32_t>(id) % 64); }
    uint64_t & word(SeqId id) { return words_[index(id)]; }

    std::array<uint64_t, 4> words_{};
};

}  // namespace thinktree
