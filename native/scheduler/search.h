// Owns: one question's search: its budget, and the steps that its branches stand on.
// Must not know: batches, the queue. Thread: the scheduler thread.
//
// A Step is immutable once written and shared by every branch that goes through it; a Branch is a cursor on a step.
// Forking makes a second cursor. Pruning drops one; steps go when no branch stands on or below them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "scheduler/command.h"
#include "tree/node_ref.h"

namespace thinktree {

using Clock = std::chrono::steady_clock;

inline double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

struct Search {
    SearchId id = 0;
    StopRules rules;
    int64_t token_budget = -1;
    int64_t max_length = -1;
    Clock::time_point opened;
    std::optional<Clock::time_point> deadline;
    int64_t generated = 0;
    TreeUsage generator_usage;
    TreeUsage verifier_usage;

    bool out_of_tokens() const { return token_budget >= 0 && generated >= token_budget; }
    bool out_of_time(Clock::time_point now) const { return deadline && now >= *deadline; }
};

struct Step {
    std::shared_ptr<Step> parent;  // null: the prompt
    Search * search = nullptr;
    NodeRef node;           // its tokens in the generator's forest
    NodeRef verifier_node;  // in the verifier's, once its scoring has begun
    std::string text;
    std::optional<double> score;
    ErrorCode score_error = ErrorCode::none;
    bool scoring = false;
    // Who may yet need the logits after this step's last token: they are kept only so long.
    int32_t cursors = 0;            // branches that will write their next step from here
    int32_t writing = 0;            // branches that are writing it now
    int32_t unscored_children = 0;  // steps below that a likelihood verifier has not read

    Step() = default;
    Step(const Step &) = delete;
    ~Step() {
        if (parent && !score) --parent->unscored_children;
    }
};

struct Branch {
    BranchId id = 0;
    Search * search = nullptr;
    std::shared_ptr<Step> step;
    uint64_t key = 0;  // of its random stream
    uint32_t forks = 0;
    bool finished = false;
    bool extending = false;
};

}  // namespace thinktree
