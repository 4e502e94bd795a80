// Owns: reading the generator's hidden state at the end of a prompt: the prompt is prefilled for the search as well,
// and of one that is in the cache already only the last token is decoded again. Must not know: the queue, branches,
// sampling. Thread: the scheduler thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "scheduler/lane.h"
#include "scheduler/search.h"

namespace thinktree {

class HiddenStates {
public:
    HiddenStates(Lane & lane, std::function<void(Completion)> complete);

    // Of the root step's last token.
    void read(RequestId request, std::shared_ptr<Step> root);
    // Fails what a deadline has ended.
    void expire(Clock::time_point now);
    void fail(ErrorCode error, const std::string & message, const Search & of);

    bool has_work() const { return !jobs_.empty(); }
    // A batch of last tokens alone: a decode that gives hidden states gives them of every row, and logits too. If
    // nobody is so far, a batch of what comes before them, and then theirs at once, before someone else takes the
    // cells.
    void turn(EngineStats & stats);

private:
    struct Job {
        RequestId request;
        std::shared_ptr<Step> root;
        uint64_t age;
        NodeRef again;  // a second node of the last token, where the first is in the cache
        bool planned = false;
        bool suspect = false;  // was in a batch that failed: runs alone until cleared
        bool done = false;
    };

    NodeId target_of(const Job & job) const { return job.again ? job.again.id() : job.root->node.id(); }
    bool prefilled(const Job & job) const;
    // False: nothing to decode, or the engine is closing.
    bool decode(bool last_tokens, EngineStats & stats);
    void plan(bool last_tokens);
    void plan(Job & job, uint64_t age);
    void answer(Job & job);
    void fail(Job & job, ErrorCode error, const std::string & message);
    void drop_done();

    Lane & lane_;
    const std::function<void(Completion)> complete_;
    std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace thinktree
