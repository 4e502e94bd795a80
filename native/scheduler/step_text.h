// Owns: where the text of a step ends. Must not know: branches, who draws. Thread: any.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "scheduler/command.h"

namespace thinktree {

// Where the text begins after blanks and blank lines; npos if it is nothing else.
inline size_t first_word(std::string_view text) { return text.find_first_not_of(" \t\r\n"); }

// Where `words` first stand in the text, from `from` on; npos if they do not, or end within the first `known` bytes,
// where they would have been found before.
inline size_t find_new(const std::string & text, const std::string & words, size_t from, size_t known) {
    if (known >= words.size()) from = std::max(from, known - words.size() + 1);
    return text.find(words, from);
}

// Where the earliest stop string begins; npos if there is none. None was in the first `known` bytes.
inline size_t find_stop(const std::string & text, size_t known, const StopRules & rules) {
    size_t at = std::string::npos;
    for (const std::string & stop : rules.stop) at = std::min(at, find_new(text, stop, 0, known));
    return at;
}

// Whether the step ends with the last of its so many tokens, whose letters come after `known` bytes; it did not before.
// A blank line is not a step of its own: it begins the next one.
inline bool ends_step(const std::string & text, size_t known, uint32_t tokens, PatternScan & scan,
                      const StopRules & rules) {
    const bool matched = scan.read(rules.pattern, std::string_view(text).substr(known));
    const size_t word = first_word(text);
    if (word == std::string::npos) return false;
    if (matched || (rules.tokens > 0 && tokens >= rules.tokens)) return true;
    return std::any_of(rules.delimiters.begin(), rules.delimiters.end(), [&](const std::string & delimiter) {
        return find_new(text, delimiter, word, known) != std::string::npos;
    });
}

// Whether the step ends before a token that was drawn with this log-probability.
inline bool ends_step_before(float log_probability, std::string_view text, const StopRules & rules) {
    return log_probability < rules.least_log_probability && first_word(text) != std::string::npos;
}

// Whether a step that has ended is its solution's last.
inline bool is_last(std::string_view text, const StopRules & rules) {
    if (rules.final_prefix.empty()) return false;
    return text.starts_with(rules.final_prefix) || text.substr(first_word(text)).starts_with(rules.final_prefix);
}

}  // namespace thinktree
