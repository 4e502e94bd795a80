// Owns: scores of a reward head on the generator's own states. The state after a step's last token is there once that
// token is decoded, which it is anyhow where a branch goes on: whoever draws from a row has it read as well. What is
// asked for and not read yet is decoded here, in the generator's batches: a token of a step that nobody went on from,
// or, if its row has come and gone unread, the step once more. Must not know: the queue, how texts are written.
// Thread: the scheduler thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "scheduler/lane.h"
#include "scheduler/search.h"

namespace thinktree {

class StateScores {
public:
    // The head is one for the model's states. Throws Error (invalid_option): its memory forks at ends only.
    StateScores(Lane & lane, std::shared_ptr<const RewardHead> head);

    // What the row after a text is asked, and what the answer says of the step that ends there, if one does.
    Ask ask_of(int32_t row) const { return {row, Reward{head_.get()}}; }
    static void read(Step & step, float value);

    // The scores of the step and of those above it in its solution are wanted.
    void score(const std::shared_ptr<Step> & step);
    // They are not wanted any more.
    void drop(const Search & search);

    bool has_work() const { return !jobs_.empty(); }
    size_t steps() const { return jobs_.size(); }
    // One of them was in a batch that failed, and has to be decoded alone.
    bool suspects() const;
    // Tokens that the first of them owes.
    uint32_t owed() const;
    // Counts into Account::committed what is still to be decoded for them, where there is a budget of operations.
    void commit();

    // Into the batch that has been begun; after that has been put together; once it is decoded.
    void plan();
    void ask();
    void take(DecodeStatus status);

private:
    struct Job {
        std::shared_ptr<Step> step;
        NodeRef again;  // a second node of the step's last tokens, where the first is in the cache and its row is not
        uint64_t age = 0;
        int64_t promised = 0;  // of what is committed
        size_t first_ask = 0;
        bool asked = false;
        bool planned = false;
        bool suspect = false;
        bool done = false;
    };

    static const NodeRef & target_of(const Job & job) { return job.again ? job.again : job.step->node; }
    void plan(Job & job, uint64_t age);
    // The job is over, with this error or with none.
    void end(Job & job, ErrorCode error);
    void drop_done();

    Lane & lane_;
    const std::shared_ptr<const RewardHead> head_;
    std::vector<std::unique_ptr<Job>> jobs_;  // the oldest first
};

}  // namespace thinktree
