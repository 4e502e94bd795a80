#include "scheduler/pattern.h"

#include <algorithm>

namespace thinktree {

namespace {

constexpr uint32_t replacement = 0xFFFD;

// Of a character's first byte: how many follow; 4: it begins none.
uint8_t bytes_after(uint8_t byte) {
    if (byte < 0x80) return 0;
    if (byte >= 0xC2 && byte < 0xE0) return 1;
    if (byte >= 0xE0 && byte < 0xF0) return 2;
    if (byte >= 0xF0 && byte < 0xF5) return 3;
    return 4;
}

}  // namespace

bool PatternScan::read(const Pattern & pattern, std::string_view piece) {
    if (pattern.places.empty()) return false;
    bool matched = false;
    for (const char letter : piece) {
        const auto byte = static_cast<uint8_t>(letter);
        if (!begun_ && (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n')) continue;
        begun_ = true;
        if (missing_ > 0 && (byte & 0xC0) == 0x80) {
            character_ = character_ << 6 | (byte & 0x3F);
            if (--missing_ == 0) matched = take(pattern, character_) || matched;
            continue;
        }
        if (missing_ > 0) matched = take(pattern, replacement) || matched;
        missing_ = bytes_after(byte);
        if (missing_ == 0 || missing_ == 4) {
            matched = take(pattern, missing_ == 0 ? byte : replacement) || matched;
            missing_ = 0;
        } else {
            character_ = byte & (0x3F >> missing_);
        }
    }
    return matched;
}

bool PatternScan::take(const Pattern & pattern, uint32_t character) {
    Pattern::Places wanted = pattern.first;
    for (size_t i = 0; i < pattern.places.size(); ++i) {
        if (reached_[i]) wanted |= pattern.places[i].next;
    }
    reached_.reset();
    for (size_t i = 0; i < pattern.places.size(); ++i) {
        const auto & ranges = pattern.places[i].characters;
        reached_[i] = wanted[i] && std::any_of(ranges.begin(), ranges.end(), [&](const Pattern::Range & range) {
                          return range.first <= character && character <= range.second;
                      });
    }
    return (reached_ & pattern.last).any();
}

}  // namespace thinktree
