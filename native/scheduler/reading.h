// Owns: how a verifier reads a solution: what stands around each step, and what its score is read from.
// Must not know: trees, batches. Thread: any.
//
//   likelihood  score = exp(sum of log p(token)) over the step, given all before it.
//   ratio       score = sigmoid(beta x sum of log p(token) / p_reference(token)) over the solution up to the step's
//   end:
//               an implicit PRM (Yuan et al. 2024). The sum is the reward; the sigmoid is what it was trained through.
//   pair        two logits after the step's last token: the softmax over them, the positive's share
//               (Math-Shepherd, Wang et al. 2023; RLHFlow).
//   head        a reward head on the final hidden state at the step's last token (Qwen2.5-Math-PRM, Skywork-o1).
//
// What a step is to the verifier ends where it is read, so that steps can be read one by one:
//
//      How many?| First, 3*4=12 ки|\nSo 13 ки|            Math-Shepherd: " {step} ки", then "\n{step} ки"
//      ...user\n\nHow many?| First ...<end>assistant\n\n|+<end>user\n\nSo 13<end>assistant\n\n|         RLHFlow
//      ...assistant|\nStep 1: First, 3*4=12\n\nStep| 2: So 13<end>|       EurusPRM: two tokens of what is next, or the
//      end
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sampling/reward_head.h"
#include "scheduler/continuation.h"

namespace thinktree {

// Where a step stands in its solution.
struct Place {
    uint32_t number = 1;
    size_t begun = 0;   // bytes of what stands before it that were read with the step above
    bool last = false;  // it is known to be the solution's last
};

struct Piece {
    Continuation continuation;
    size_t begun = 0;  // bytes of what stands before the next step that are in it
};

struct Reading {
    enum class Kind { likelihood, ratio, pair, head };
    enum class Words {
        own,     // the generator's tokens where the vocabularies are equal, else its text by itself
        joined,  // the text, without the end of its line, as one with what stands around it and before it
        apart,   // likewise, by itself, and so what stands around it
    };
    // A template's words; "{k}" in them is the step's number.
    struct Frame {
        std::string before, after;
        bool trims = false;  // without blanks before the step's text either
    };

    Kind kind = Kind::likelihood;
    Words words = Words::own;
    Frame first, next;         // around a solution's first step, and around every other
    std::string probe;         // read after the step, and forgotten: the score is that of its last token
    bool before_last = false;  // the score is that of the token before the last one
    bool one_line = false;     // blanks instead of newlines inside a step; not where words are its own
    // Where words are joined: the next step's `before` is read so many tokens into, counted from where the step's
    // tokens would end if nothing followed; after the last step, `end` is read instead.
    uint32_t beyond = 0;
    std::string end;
    double beta = 0;                         // of a ratio
    Token positive = -1, negative = -1;      // of a pair
    std::shared_ptr<const RewardHead> head;  // of a head

    bool reads_last_row() const { return kind == Kind::pair || kind == Kind::head; }
    // Tokens at a step's end that what follows may change: "." and a newline after it may be one.
    uint32_t replaceable() const;
    // What stands around a solution's step of this number.
    Frame frame(uint32_t number) const;
    // A step's tokens where they are not the generator's own. `before`: the letters that it follows, as many as may
    // matter; `replaceable`: how many of their last tokens may be replaced.
    Piece piece(const Model & model, const std::string & step, const Place & place, const std::string & before,
                uint32_t replaceable) const;
    // The most tokens that such a step may have.
    size_t most_tokens(const Model & model, const std::string & step) const;
};

// Of a token's text; throws Error (invalid_option) if it is not a single token of the model.
Token single_token(const Model & model, const std::string & text);

}  // namespace thinktree
