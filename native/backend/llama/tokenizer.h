// Owns: texts into tokens: which words are a template's, and are searched for special tokens, and which are not.
// Must not know: what texts are for. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "llama.h"

namespace thinktree {

class Tokenizer {
public:
    explicit Tokenizer(const llama_vocab * vocab);
    std::vector<Token> tokens(const Text & text, bool begins) const;

private:
    struct Range {
        size_t begin, end;
    };
    Range specials_in(const std::string & words) const;
    void append(std::vector<Token> & tokens, std::string_view words, bool with_specials) const;

    const llama_vocab * vocab_;
    std::vector<std::string> specials_;  // the texts of special tokens
};

}  // namespace thinktree
