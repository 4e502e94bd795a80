// Owns: where the text of a step ends. Must not know: tokens, branches. Thread: any.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "scheduler/command.h"

namespace thinktree {

// Where the text begins after blanks and blank lines; npos if it is nothing else.
inline size_t first_word(std::string_view text) { return text.find_first_not_of(" \t\r\n"); }

// Where the earliest stop string begins; npos if there is none.
inline size_t find_stop(const std::string & text, const StopRules & rules) {
    size_t at = std::string::npos;
    for (const std::string & stop : rules.stop) at = std::min(at, text.find(stop));
    return at;
}

// Whether the delimiter has come. A blank line is not a step of its own: it begins the next one.
inline bool is_delimited(const std::string & text, const StopRules & rules) {
    const size_t word = first_word(text);
    if (rules.delimiter.empty() || word == std::string::npos) return false;
    return text.find(rules.delimiter, word) != std::string::npos;
}

// Whether a step that is delimited is its solution's last.
inline bool is_last(std::string_view text, const StopRules & rules) {
    if (rules.final_prefix.empty()) return false;
    return text.starts_with(rules.final_prefix) || text.substr(first_word(text)).starts_with(rules.final_prefix);
}

}  // namespace thinktree
