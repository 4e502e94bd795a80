// Owns: a text in the making and the branches that write it. Must not know: batches' order, the queue, who completes.
// Thread: the scheduler thread.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "sampling/row_reader.h"
#include "sampling/sampler.h"
#include "scheduler/drafter.h"
#include "scheduler/lane.h"
#include "scheduler/search.h"

namespace thinktree {

// A branch that is being extended; or the future child of one that will be, if it comes to be: see ahead.h.
struct Writer {
    Branch * branch;
    uint64_t key;                      // of the random stream: the branch's, or its child's
    std::shared_ptr<Step> start = {};  // where the branch goes back to if this fails
    RequestId request = 0;
    SamplerOptions sampler;
    uint32_t steps_left = 0;
    bool score = false;
    uint32_t ahead = 0;  // children that the branch will have if it survives
    uint64_t age = 0;
    std::vector<StepResult> written = {};
    // All steps are written. If the branch draws the end token next, they are a whole solution and not one that
    // would have to be extended, and be forked, to say nothing more. Forks from here will sample from the same row,
    // so that looking costs a survivor nothing.
    bool peeking = false;
    // It writes nothing: this is read at the end of what the branch has, by a job of its own.
    std::optional<PairProbability> pair = {};
    double value = unscored;
    bool done = false;
    size_t asked = 0;  // its place among the writers when the draws of this turn were asked for
};

// One text in the making and its writers: the branches that have drawn all of it alike. It is decoded once for all
// of them; where they draw differently the job parts.
struct Job {
    std::vector<Writer> writers;
    uint64_t age = 0;  // the oldest's of those that began this part of it
    NodeRef growing;   // where the step being written ends by now; none at a step's beginning
    NodeRef draft;     // what may follow, in this turn's batch
    Drafter::Copy copy = {};
    std::string text = {};
    PatternScan scan = {};  // of the text
    bool cut = false;       // a stop string ended it: the text is shorter than the tokens
    uint32_t tokens = 0;
    double log_probability = 0;
    std::optional<float> reward = {};  // of the text up to here, where a head reads it
    std::optional<Answer> known = {};  // what all of them draw next, if that is known before they are asked
    size_t first_ask = 0;              // of its writers' draws from rows of the batch, row by row
    bool planned = false;
    bool suspect = false;  // was in a batch that failed: runs alone until cleared
    bool done = false;

    bool scores() const {
        return std::any_of(writers.begin(), writers.end(), [](const Writer & w) { return w.score && !w.done; });
    }
    bool reads_only() const { return writers.front().pair.has_value(); }
    uint64_t oldest() const;
    Search & search() const { return *writers.front().branch->search; }
    const std::shared_ptr<Step> & step() const { return writers.front().branch->step; }
    NodeId end() const { return growing ? growing.id() : step()->place->node.id(); }
    Pos end_position() const { return growing ? growing->end() : step()->place->node->end(); }
    // Tokens of the step being written.
    uint32_t written() const { return static_cast<uint32_t>(end_position() - step()->place->node->end()); }
    // The next token is written. `speculative`: by nobody yet. `drafts`: so many hang on the text.
    void append(TokenForest & forest, Token token, const std::string & piece, bool speculative, uint32_t drafts);
    // Another job that has written the same, for some of its writers.
    std::unique_ptr<Job> part(std::vector<Writer> some) const;
    // Each writer draws its token for `position` from the `row`-th of a batch's rows.
    void ask(std::vector<Ask> & asks, int32_t row, Pos position) const;
};

using Jobs = std::vector<std::unique_ptr<Job>>;

// Those of a job's writers that have drawn the same token.
struct Way {
    Answer drawn;
    std::vector<Writer> writers;
};
Way & way_of(std::vector<Way> & ways, const Answer & drawn);

// Whether a branch whose tokens end at `node` has no room for another.
bool at_length_limit(const Lane & lane, const Branch & branch, NodeId node);

// Draws from rows that were kept from earlier decodes.
class KeptRows {
public:
    // One for each writer; valid until the next call.
    std::span<const Answer> draw(const Job & job, std::span<const float> row);

private:
    Sampler sampler_;
    std::vector<Ask> asks_;
    std::vector<Answer> answers_;
};

}  // namespace thinktree
