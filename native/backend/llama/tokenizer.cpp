#include "backend/llama/tokenizer.h"

#include <algorithm>
#include <exception>

#include "backend/llama/assertions.h"
#include "base/error.h"

namespace thinktree {

Tokenizer::Tokenizer(const llama_vocab * vocab) : vocab_(vocab) {
    for (llama_token token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
        const int attributes = llama_vocab_get_attr(vocab, token);
        if ((attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED)) == 0) continue;
        if (const std::string text = llama_vocab_get_text(vocab, token); !text.empty()) specials_.push_back(text);
    }
}

// Letters that stand together are tokenised together, also across parts: a word may begin in the template and end in
// what somebody wrote. Only a special token parts them.
std::vector<Token> Tokenizer::tokens(const Text & text, bool begins) const {
    std::vector<Token> tokens;
    std::string letters;
    for (const auto & [words, is_template] : text) {
        const Range specials = is_template ? specials_in(words) : Range{0, 0};
        if (specials.begin == specials.end) {
            letters += words;
            continue;
        }
        append(tokens, letters + words.substr(0, specials.begin), false);
        append(tokens, std::string_view(words).substr(specials.begin, specials.end - specials.begin), true);
        letters = words.substr(specials.end);
    }
    append(tokens, letters, false);
    const Token start = llama_vocab_bos(vocab_);
    if (begins && llama_vocab_get_add_bos(vocab_) && start >= 0 && !tokens.empty() && tokens.front() != start) {
        tokens.insert(tokens.begin(), start);
    }
    return tokens;
}

// From the beginning of the first to the end of the last; empty if there is none.
Tokenizer::Range Tokenizer::specials_in(const std::string & words) const {
    Range range{words.size(), 0};
    for (const std::string & special : specials_) {
        const size_t first = words.find(special);
        if (first == std::string::npos) continue;
        range = {std::min(range.begin, first), std::max(range.end, words.rfind(special) + special.size())};
    }
    return range.end == 0 ? Range{0, 0} : range;
}

void Tokenizer::append(std::vector<Token> & tokens, std::string_view words, bool with_specials) const {
    if (words.empty()) return;
    const CatchAssertions catching;
    const size_t before = tokens.size();
    const auto fill = [&](size_t room) {
        tokens.resize(before + room);
        return llama_tokenize(vocab_, words.data(), static_cast<int32_t>(words.size()), tokens.data() + before,
                              static_cast<int32_t>(room), false, with_specials);
    };
    try {
        int32_t n = fill(words.size() + 8);
        if (n < 0) n = fill(static_cast<size_t>(-static_cast<int64_t>(n)));
        tokens.resize(before + static_cast<size_t>(std::max(n, 0)));
    } catch (const std::exception & error) {  // of a vocabulary with holes in it
        throw Error(ErrorCode::unsupported_model,
                    std::string("the model's vocabulary cannot write this text: ") + error.what());
    }
}

}  // namespace thinktree
