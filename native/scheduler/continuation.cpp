#include "scheduler/continuation.h"

#include <algorithm>

namespace thinktree {

std::string letters_before(const TokenForest & forest, NodeId end, const Model & model) {
    constexpr int enough = 6;
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

Continuation tokens_after(const Model & model, const std::string & before, const Text & text, uint32_t replaceable) {
    if (before.empty()) return {model.tokenize(text, false)};
    Text whole = plain_text(before);
    whole.insert(whole.end(), text.begin(), text.end());
    const std::vector<Token> head = model.tokenize(plain_text(before), false);
    const std::vector<Token> tokens = model.tokenize(whole, false);
    const auto same = std::mismatch(head.begin(), head.end(), tokens.begin(), tokens.end()).second;
    const auto replaced = static_cast<uint32_t>(head.size() - static_cast<size_t>(same - tokens.begin()));
    if (replaced > replaceable) return {model.tokenize(text, false)};
    return {{same, tokens.end()}, replaced};
}

}  // namespace thinktree
