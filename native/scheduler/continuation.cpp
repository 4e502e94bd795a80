#include "scheduler/continuation.h"

#include <algorithm>

namespace thinktree {

std::string letters_before(const TokenForest & forest, NodeId end, const Model & model) {
    constexpr int enough = 4;
    std::string letters;
    int taken = 0;
    for (NodeId id = end; id != no_node; id = forest[id].parent) {
        const std::vector<Token> & tokens = forest[id].tokens;
        for (size_t i = tokens.size(); i-- > 0; ++taken) {
            const std::string & piece = model.piece(tokens[i]);
            if (piece.empty() || taken == enough) return letters;
            letters.insert(0, piece);
        }
    }
    return letters;
}

std::vector<Token> tokens_after(const Model & model, const std::string & before, const Text & text) {
    if (before.empty()) return model.tokenize(text, false);
    Text whole = plain_text(before);
    whole.insert(whole.end(), text.begin(), text.end());
    const std::vector<Token> head = model.tokenize(plain_text(before), false);
    const std::vector<Token> tokens = model.tokenize(whole, false);
    if (tokens.size() < head.size() || !std::equal(head.begin(), head.end(), tokens.begin())) {
        return model.tokenize(text, false);
    }
    return {tokens.begin() + static_cast<std::ptrdiff_t>(head.size()), tokens.end()};
}

}  // namespace thinktree
