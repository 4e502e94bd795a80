// Owns: patterns, and whether a text that grows has come to a match of one. A pattern is a list of characters in their
// places and of which places may follow which (a position automaton, Glushkov 1961), so that reading is linear in the
// text whatever both say. Must not know: regular expressions, which lib/ takes apart; steps. Thread: any.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace thinktree {

struct Pattern {
    static constexpr size_t most_places = 256;
    using Places = std::bitset<most_places>;
    using Range = std::pair<uint32_t, uint32_t>;  // code points, both ends included

    struct Place {
        std::vector<Range> characters;
        Places next;
    };

    std::vector<Place> places;  // none: there is no pattern
    Places first;
    Places last;
};

// Reads a text a piece at a time, in UTF-8; what is none stands for the replacement character.
class PatternScan {
public:
    // Whether a match has ended in this piece. Blanks before the first word are not read.
    bool read(const Pattern & pattern, std::string_view piece);

private:
    bool take(const Pattern & pattern, uint32_t character);

    Pattern::Places reached_;
    uint32_t character_ = 0;  // of which bytes are missing
    uint8_t missing_ = 0;
    bool begun_ = false;
};

}  // namespace thinktree
