#include "scheduler/reading.h"

#include <algorithm>
#include <string_view>
#include <utility>

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

Reading::Frame Reading::frame(uint32_t number) const {
    Frame numbered = number == 1 ? first : next;
    constexpr std::string_view mark = "{k}";
    for (std::string * words : {&numbered.before, &numbered.after}) {
        for (size_t at; (at = words->find(mark)) != std::string::npos;) {
            words->replace(at, mark.size(), std::to_string(number));
        }
    }
    return numbered;
}

Piece Reading::piece(const Model & model, const std::string & step, const Place & place, const std::string & before,
                     uint32_t replaceable) const {
    const Frame around = frame(place.number);
    std::string text = words == Words::own ? step : line_of(step, around.trims);
    if (one_line) std::replace(text.begin(), text.end(), '\n', ' ');
    if (words != Words::joined) {
        std::vector<Token> tokens = model.tokenize(template_text(around.before), false);
        append(tokens, model.tokenize(plain_text(text), false));
        append(tokens, model.tokenize(template_text(around.after), false));
        return {{tokens}};
    }
    const size_t begun = std::min(place.begun, around.before.size());
    Text whole{{around.before.substr(begun), true}, {text, false}, {around.after, true}};
    Continuation alone = tokens_after(model, before, whole, replaceable);
    std::string following = end;
    if (!place.last) following = beyond > 0 ? frame(place.number + 1).before : "";
    if (following.empty()) return {std::move(alone)};

    whole.push_back({following, true});
    Piece piece{tokens_after(model, before, whole, 0)};
    if (place.last) return piece;
    std::vector<Token> & tokens = piece.continuation.tokens;
    piece.begun = following.size();
    const size_t read = std::min(alone.tokens.size() + beyond, tokens.size());
    for (size_t i = read; i < tokens.size(); ++i) piece.begun -= std::min(piece.begun, model.piece(tokens[i]).size());
    tokens.resize(read);
    return piece;
}

size_t Reading::most_tokens(const Model & model, const std::string & step) const {
    constexpr uint32_t many = 999;  // a number of digits enough
    size_t most = 0;
    for (const Place & place : {Place{}, Place{.number = many}, Place{.number = many, .last = true}}) {
        most = std::max(most, piece(model, step, place, {}, 0).continuation.tokens.size());
    }
    return most;
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
