#include "scheduler/reading.h"

#include <algorithm>

#include "base/error.h"

namespace thinktree {

namespace {

constexpr const char * blanks = " \t\r\n\v\f";

// Blanks that a line begins with may mean something; empty lines and what follows the last word do not.
std::string line_of(const std::string & text, bool trims) {
    const size_t begin = text.find_first_not_of(trims ? blanks : "\r\n");
    const size_t last = text.find_last_not_of(blanks);
    return last == std::string::npos ? std::string() : text.substr(begin, last + 1 - begin);
}

void append(std::vector<Token> & tokens, const std::vector<Token> & more) {
    tokens.insert(tokens.end(), more.begin(), more.end());
}

}  // namespace

uint32_t Reading::replaceable() const {
    const bool open = first.after.empty() || next.after.empty();
    return words == Words::joined && open && reads_last_row() && !before_last ? 3 : 0;
}

Continuation Reading::tokens(const Model & model, const std::string & step, const Frame & frame,
                             const std::string & before, uint32_t replaceable) const {
    std::string text = words == Words::own ? step : line_of(step, frame.trims);
    if (one_line) std::replace(text.begin(), text.end(), '\n', ' ');
    if (words != Words::joined) {
        std::vector<Token> tokens = model.tokenize(template_text(frame.before), false);
        append(tokens, model.tokenize(plain_text(text), false));
        append(tokens, model.tokenize(template_text(frame.after), false));
        return {tokens};
    }
    return tokens_after(model, before, {{frame.before, true}, {text, false}, {frame.after, true}}, replaceable);
}

Token single_token(const Model & model, const std::string & text) {
    // The same letters as text, or a special token: whichever is one token.
    for (const Text & as : {plain_text(text), template_text(text)}) {
        const std::vector<Token> tokens = model.tokenize(as, false);
        if (tokens.size() == 1) return tokens.front();
    }
    throw Error(ErrorCode::invalid_option, "\"" + text + "\" is not a single token of the verifier");
}

}  // namespace thinktree
