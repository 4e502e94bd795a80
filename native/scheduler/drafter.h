// Owns: the draft model: its own tree of the texts that it has been asked about, and its guesses of what they go on
// with. Must not know: how texts are written, what becomes of a guess: when it is asked again the text itself tells.
// Thread: the scheduler thread.
//
// A guess is drawn as the generator will draw, with the same sampler and the same uniform number for each position, so
// that two models which think alike draw alike at any temperature. Nothing here can fail a branch: where the draft
// model fails, has no room or no position left, there is no guess.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "sampling/sampler.h"
#include "scheduler/lane.h"
#include "scheduler/search.h"

namespace thinktree {

struct DraftOptions {
    uint32_t tokens = 4;    // of one guess at most
    uint32_t branches = 4;  // texts being written at once up to which guessing is worth its cost
};

class Drafter {
public:
    // What the draft model has of a step in the making, below the step before.
    struct Copy {
        NodeRef node;         // its tokens; none: it has none yet, or nobody has asked
        NodeRef guess;        // a draft of what comes after them
        bool failed = false;  // in a decode: the step goes on without guesses
    };
    struct Request {
        Copy & copy;
        Step & place;             // a Step::place, below whose tokens the text is
        std::vector<Token> text;  // of the step so far
        SamplerOptions sampler;
        uint64_t key;  // of the random stream that will draw
        uint32_t most;
        std::vector<Token> guess = {};  // the answer: `most` tokens or fewer, no end token
    };

    // Throws Error (invalid_option) if the draft model's tokens are not the generator's.
    Drafter(std::unique_ptr<Lane> lane, DraftOptions options, const Model & generator);

    // Fills in the guesses. A text that the draft model is far behind of takes more than one call to catch up with.
    void guess(std::span<Request> requests, EngineStats & stats);
    // The text that the copy is of has become this step, and the next one begins.
    void end_step(Copy & copy, Step & step);

    const DraftOptions & options() const { return options_; }
    const Lane & lane() const { return *lane_; }

private:
    NodeId node_of(Step & place);
    void follow(Copy & copy, NodeId above, std::span<const Token> text);
    static NodeId end_of(const Request & request);
    bool guess_one_more(std::vector<Request *> & open, EngineStats & stats);

    std::unique_ptr<Lane> lane_;
    const DraftOptions options_;
};

}  // namespace thinktree
