// Owns: whether two models' tokens are the same. Must not know: who asks. Thread: any.
#pragma once

#include "backend/backend.h"

namespace thinktree {

// Token by token the same text. Says nothing about which of them end a text.
inline bool same_vocabulary(const Model & a, const Model & b) {
    if (&a == &b) return true;
    if (a.n_vocab() != b.n_vocab()) return false;
    for (Token token = 0; token < a.n_vocab(); ++token) {
        if (a.piece(token) != b.piece(token)) return false;
    }
    return true;
}

inline bool same_end_tokens(const Model & a, const Model & b) {
    if (a.n_vocab() != b.n_vocab()) return false;
    for (Token token = 0; token < a.n_vocab(); ++token) {
        if (a.is_end(token) != b.is_end(token)) return false;
    }
    return true;
}

}  // namespace thinktree
