// Owns: tokenising a text that goes on from tokens, so that both together are what a tokenizer would have made of the
// whole. Must not know: what texts are. Thread: the scheduler thread.
#pragma once

#include <string>
#include <vector>

#include "tree/token_forest.h"

namespace thinktree {

// The letters of the node's last few tokens, since what follows may be one token with them. A special token parts
// letters.
std::string letters_before(const TokenForest & forest, NodeId end, const Model & model);

struct Continuation {
    std::vector<Token> tokens;
    uint32_t replaced = 0;  // so many of the last tokens that stand there, whose place they take
};

// `before`: letters that stand there already, as tokens. Where a tokenizer would have cut them otherwise with `text`
// after them, the last ones are replaced, up to `replaceable` if that is enough; else the text is read by itself.
Continuation tokens_after(const Model & model, const std::string & before, const Text & text, uint32_t replaceable);

}  // namespace thinktree
