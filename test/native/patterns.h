// Patterns for tests, with what they mean as regular expressions.
#pragma once

#include "scheduler/pattern.h"

namespace thinktree {

inline Pattern::Places places(std::initializer_list<size_t> which) {
    Pattern::Places all;
    for (const size_t place : which) all.set(place);
    return all;
}

// (1|23)*[4-5]
inline Pattern choice_pattern() {
    const Pattern::Places any = places({0, 1, 3});
    Pattern pattern;
    pattern.places = {{{{'1', '1'}}, any}, {{{'2', '2'}}, places({2})}, {{{'3', '3'}}, any}, {{{'4', '5'}}, {}}};
    pattern.first = any;
    pattern.last = places({3});
    return pattern;
}
constexpr const char * choice_regex = "(1|23)*[4-5]";

// 1.+2, in which the dot stands for all but a line's end
inline Pattern between_pattern() {
    Pattern pattern;
    pattern.places = {{{{'1', '1'}}, places({1})}, {{{0, 9}, {11, 0x10FFFF}}, places({1, 2})}, {{{'2', '2'}}, {}}};
    pattern.first = places({0});
    pattern.last = places({2});
    return pattern;
}
constexpr const char * between_regex = "1.+2";

}  // namespace thinktree
