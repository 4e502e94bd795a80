// Owns: scoring: the verifier's own tree of the same steps, and what is read from its logits.
// Must not know: the queue, how steps are written. Thread: the scheduler thread.
//
// Each step costs its own tokens only. For a likelihood the logits before a step's first token are those after its
// parent's last one, so a last token is decoded only when a child needs it. All other readings are of one row, the
// last one's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/lane.h"
#include "scheduler/reading.h"
#include "scheduler/search.h"

namespace thinktree {

class Verifier {
public:
    // `generator`: whose tokens the steps are made of. If the vocabularies are equal they are taken as they are.
    Verifier(std::unique_ptr<Lane> lane, Reading reading, const Model & generator);

    // Prepares the root step of a new search. Throws Error (empty_prompt, context_exceeded).
    void open(Step & root, const Text & prompt);
    // Begins to score the step and all above it that have no score yet.
    void score(const std::shared_ptr<Step> & step);
    // Where the verifier's tree goes on below a new context.
    void condition(Step & context);
    // Counts into Account::committed what scoring still owes, where there is a budget of operations: the steps under
    // way and those that a generator is writing, told by `each_to_score`.
    using ToScore = std::function<void(const Step & above, const std::string & text, uint32_t tokens)>;
    void commit(const std::function<void(const ToScore &)> & each_to_score) const;
    // What scoring a step of this text would cost that is so many of the generator's tokens.
    int64_t tokens_to_score(const std::string & text, uint32_t tokens) const;
    // Forgets the unfinished scoring of a search.
    void drop(const Search & search);

    bool has_work() const { return !jobs_.empty(); }
    // Small pieces wait for company while the generator is busy: a decode of few rows costs nearly as much as one of
    // many.
    bool worth_a_turn(bool generator_busy);
    void turn(EngineStats & stats);

    Lane & lane() { return *lane_; }

private:
    struct Job {
        std::shared_ptr<Step> step;
        NodeRef
            read;  // whose last row is read, if not the step's own: a probe below it, or the node above its last token
        uint64_t age = 0;
        uint32_t upto = 0;           // tokens to decode of the node that is read
        uint32_t tokens = 0;         // to decode in all, after what is there already
        uint32_t next = 1;           // likelihood: the first token whose probability is not read, but for token 0
        bool before_unread = false;  // what comes from the row before the step's first token is not read
        double log_probability = 0;
        bool planned = false;
        bool suspect = false;
        bool done = false;

        const NodeRef & node() const { return read ? read : step->verifier_node; }
    };

    // What each of the lane's asks is for.
    struct Asked {
        Job * job;
        uint32_t token;  // likelihood: which one of the step's
    };

    NodeRef add_nodes(NodeId above, const std::vector<Token> & tokens);
    void begin(const std::shared_ptr<Step> & step);
    void begin_context(Step & context);
    Continuation tokens_of(const Step & step) const;
    NodeId target_of(const Job & job) const;
    uint32_t target_upto(const Job & job) const;
    void plan();
    void plan(uint32_t owed, const Job * alone);
    void ask();
    void read_answers();
    void read_kept_rows();  // as far as they are first tokens
    void read(Job & job, uint32_t token, float value);
    void keep_if_wanted(Step & step);
    void finish(Job & job, double score);
    // The job is over, with this error or with none.
    void end(Job & job, ErrorCode error);
    static bool more_below(const Step & step, int32_t than);

    std::unique_ptr<Lane> lane_;
    const Reading reading_;
    const Model & generator_;
    const bool own_tokens_;  // steps are the generator's tokens, which mean the same here
    const int split_off_;    // tokens at a step's end that are nodes of their own
    const std::vector<Token> probe_;
    std::vector<std::unique_ptr<Job>> jobs_;
    std::unordered_map<NodeId, Job *> by_node_;
    std::vector<Asked> asked_;
    uint32_t pending_tokens_ = 0;
    int32_t turns_waited_ = 0;
};

}  // namespace thinktree
