// Owns: one question's search: its limits, and the steps that its branches stand on.
// Must not know: batches, the queue. Thread: the scheduler thread.
//
// A Step is immutable once written and shared by every branch that goes through it; a Branch is a cursor on a step.
// Forking makes a second cursor. Pruning drops one; steps go when no branch stands on or below them. A conditioned
// branch stands on a given step, its context, below the steps of the attempt:
//
//      prompt ─── 17+26=44 ─── 3*4=12 ─── "no, again:" ─── 17+26=43        one path of tokens, two solutions
//      given      └── first solution ┘    given            └── second
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>

#include "scheduler/account.h"
#include "scheduler/command.h"
#include "tree/node_ref.h"

namespace thinktree {

using Clock = std::chrono::steady_clock;

inline double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

struct Search {
    SearchId id = 0;
    StopRules rules;
    std::shared_ptr<Account> account;
    int64_t max_length = -1;
    bool verifier_sees_context = false;
    Clock::time_point opened;
    std::optional<Clock::time_point> deadline;
    int64_t generated = 0;
    int64_t coalesced = 0;
    TreeUsage generator_usage;
    TreeUsage verifier_usage;
    TreeUsage reference_usage;
    TreeUsage draft_usage;
    bool out_of_flops = false;  // the account did not pay for what a branch owed
    std::weak_ptr<struct Step> root;
    // By the step above: branches that wrote alike are to share their steps again. For Restore alone.
    std::unordered_multimap<const struct Step *, std::weak_ptr<struct Step>> restored;
    bool conditioned = false;   // more solutions than those below the root may begin where the verifier's prompt ends
    Search * judged = nullptr;  // whose steps this one judges: what it writes is the verifier's
    Search * judge = nullptr;   // which judges the steps of this one

    bool out_of_tokens() const { return judged == nullptr && account->out_of_tokens(); }
    bool out_of_time(Clock::time_point now) const {
        const auto & end = judged == nullptr ? deadline : judged->deadline;
        return end && now >= *end;
    }
    // Whether the account pays for so many tokens more: of the model that writes, and of what scores it.
    bool affords(int64_t more, int64_t scored_more) const {
        if (judged != nullptr) return account->affords(Account::Decoded{.verifier = more});
        return account->affords(Account::Decoded{.generator = more} + Account::scoring(scored_more));
    }
    // The batch in the making has so many tokens more of the model that writes.
    void commit(int64_t more) {
        (judged == nullptr ? account->committed.generator : account->committed.verifier) += more;
    }
    void count_generated() {
        ++generated;
        if (judged == nullptr) ++account->generated;
    }
    Account::Decoded decoded() const {
        if (judged != nullptr) return {.verifier = generator_usage.all_decoded()};
        return {generator_usage.all_decoded(), verifier_usage.all_decoded(), reference_usage.all_decoded(),
                draft_usage.all_decoded()};
    }
};

// What one of the verifier's models has of a step.
struct Read {
    NodeRef node;  // where its tokens end in the model's forest, once its scoring has begun; none: a context without
                   // tokens, or one that the verifier is not to see
    std::optional<double> value;  // a score, or the sum of its tokens' log-probabilities
    bool under_way = false;
    int32_t unread_children = 0;  // steps below that have no value yet
};

struct Step {
    std::shared_ptr<Step> parent;  // null: the prompt
    Search * search = nullptr;
    bool given = false;           // a prompt or a context: a solution begins below it
    bool cut = false;             // its tokens say more than its text: a stop string
    bool last = false;            // the solution ends with it, as was known when it ended
    bool again = false;           // decoded before, by an engine that is no more
    bool verified_again = false;  // likewise, by the verifier and its reference
    NodeRef node;                 // where its tokens end in the generator's forest; none: a context without tokens
    NodeRef draft_node;           // in the draft model's, once something below it is drafted; none: likewise
    Read by_verifier, by_reference;
    // After whose tokens the next step's come, in each forest: itself, unless it has no tokens of its own there.
    Step * place = this;
    Step * verifier_place = this;
    size_t next_begun = 0;   // bytes of what stands before the next step that are among its tokens to the verifier
    Pos solution_start = 0;  // position of the solution's first token in the generator's forest
    std::string text;
    std::optional<double> score;
    ErrorCode score_error = ErrorCode::none;
    bool scoring = false;
    // Who may yet need the logits after this step's last token: they are kept only so long.
    // (Read::unread_children is of the same kind.)
    int32_t cursors = 0;  // branches that will write their next step from here
    int32_t writing = 0;  // branches that are writing it now

    // Its tokens in the generator's forest; not for given steps.
    std::vector<Token> tokens() const { return node.path_below(parent->place->node.id()); }
    int64_t n_tokens() const { return node->end() - parent->place->node->end(); }

    Step() = default;
    Step(const Step &) = delete;
    ~Step() {
        if (!parent || given) return;
        if (!by_verifier.value) --parent->by_verifier.unread_children;
        if (!by_reference.value) --parent->by_reference.unread_children;
    }

    // A step is written below it.
    void expect_readings() {
        ++by_verifier.unread_children;
        ++by_reference.unread_children;
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
