// Owns: a budget of generated tokens and of operations: what it allows, what is spent of it and what is promised. A
// search has one to itself or spends one together with others. Must not know: steps, batches.
// Thread: the scheduler thread.
#pragma once

#include <cstdint>

namespace thinktree {

struct Account {
    // Tokens through each model.
    struct Decoded {
        int64_t generator = 0;
        int64_t verifier = 0;
        int64_t reference = 0;
        int64_t draft = 0;

        Decoded & operator+=(const Decoded & more) {
            generator += more.generator;
            verifier += more.verifier;
            reference += more.reference;
            draft += more.draft;
            return *this;
        }
        friend Decoded operator+(Decoded a, const Decoded & b) { return a += b; }
    };
    // Both of a verifier's models decode what is scored; where there is no reference, its tokens cost nothing.
    static Decoded scoring(int64_t tokens) { return {0, tokens, tokens, 0}; }

    int64_t token_budget = -1;  // negative: none
    double flops_budget = -1;   // likewise
    // Operations on one token: 2 x parameters (Snell et al. 2024, section 7).
    double generator_token_flops = 0;
    double verifier_token_flops = 0;
    double reference_token_flops = 0;
    double draft_token_flops = 0;

    int64_t generated = 0;
    Decoded by_closed;  // by searches that are no longer open
    // By all searches up to the last commit; and what is going to be decoded beyond that: the batch in the making, and
    // what scoring takes of the steps under way. Counted anew every turn, and only where there is a budget of
    // operations.
    Decoded spent;
    Decoded committed;

    bool limited() const { return token_budget >= 0 || flops_budget >= 0; }
    bool out_of_tokens() const { return token_budget >= 0 && generated >= token_budget; }
    double flops(const Decoded & tokens) const {
        return generator_token_flops * static_cast<double>(tokens.generator) +
               verifier_token_flops * static_cast<double>(tokens.verifier) +
               reference_token_flops * static_cast<double>(tokens.reference) +
               draft_token_flops * static_cast<double>(tokens.draft);
    }
    // Whether so many tokens more would still be within the budget.
    bool affords(const Decoded & more) const {
        return flops_budget < 0 || flops(spent + committed + more) <= flops_budget;
    }
};

}  // namespace thinktree
