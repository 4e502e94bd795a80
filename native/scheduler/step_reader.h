// Owns: reading steps in one model: its tree of them, the batches that decode it, and what is asked of their rows.
// Must not know: what a step's tokens are made of, what becomes of the values. Thread: the scheduler thread.
//
// Each step costs its own tokens only. For a sum of log-probabilities the logits before a step's first token are those
// after its parent's last one, so a last token is decoded only when a child needs it. All other readings are of one
// row, the last one's.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "scheduler/lane.h"
#include "scheduler/reading.h"
#include "scheduler/search.h"

namespace thinktree {

// The step after whose tokens these come in the verifier's trees.
inline Step & above(const Step & step) { return *step.parent->verifier_place; }

class StepReader {
public:
    // Where its figures stand, beside those of the verifier's other model.
    struct Books {
        Read Step::*read;
        TreeUsage Search::*usage;
        int64_t Account::Decoded::*decoded;
    };
    struct Turn {
        int64_t decodes = 0;
        int64_t tokens = 0;
    };

    // `reading` stays where it is.
    StepReader(std::unique_ptr<Lane> lane, const Reading & reading, Books books);

    // The root, a context or a step has these tokens; those of a step take the place of `replaced` before them.
    void add_root(Step & root, std::vector<Token> tokens);
    void add_context(Step & context, std::vector<Token> tokens);
    void add(Step & step, const Continuation & tokens);
    // The step has no tokens: nothing is to be read of it.
    void pass(Step & step);
    // The step's value is wanted. Its own tokens are there, and all above it. `again`: it has been wanted before.
    void begin(const std::shared_ptr<Step> & step, bool again);
    // It is not wanted any more.
    void drop(const Step & step);

    uint32_t pending_tokens() const { return pending_tokens_; }
    // Tokens that are read after each step and forgotten.
    size_t probe_tokens() const { return probe_.size(); }
    // One batch. A value that could not be read has left its reason in Step::score_error, `none` if it was not paid
    // for.
    Turn turn();

    Lane & lane() const { return *lane_; }
    Read & of(Step & step) const { return step.*books_.read; }
    const Read & of(const Step & step) const { return step.*books_.read; }

    // What is still to be decoded, each token once: of what is under way, and of what else is named.
    class Owing {
    public:
        explicit Owing(const StepReader & reader);
        void add(Search & search, NodeId node, uint32_t upto);
        void add(Search & search, const NodeRef & node) { add(search, node.id(), node->size()); }
        const StepReader & reader() const { return reader_; }

    private:
        const StepReader & reader_;
        std::unordered_map<NodeId, uint32_t> counted_;  // up to which token
    };

private:
    struct Job {
        std::shared_ptr<Step> step;
        NodeRef
            read;  // whose last row is read, if not the step's own: a probe below it, or the node above its last token
        uint64_t age = 0;
        uint32_t upto = 0;           // tokens to decode of the node that is read
        uint32_t tokens = 0;         // to decode in all, after what is there already
        uint32_t next = 1;           // of a sum: the first token whose probability is not read, but for token 0
        bool before_unread = false;  // what comes from the row before the step's first token is not read
        double sum = 0;
        bool planned = false;
        bool suspect = false;
        bool done = false;
    };

    // What each of the lane's asks is for.
    struct Asked {
        Job * job;
        uint32_t token;  // of a sum: which one of the step's
    };

    const NodeRef & node_of(const Job & job) const { return job.read ? job.read : of(*job.step).node; }
    Node & node_above(const Job & job) const { return *of(above(*job.step)).node; }
    NodeId target_of(const Job & job) const;
    uint32_t target_upto(const Job & job) const;
    bool more_below(const Step & step, int32_t than) const;
    void plan();
    void plan(uint32_t owed, const Job * alone);
    void ask();
    void read_answers();
    void read_kept_rows();  // as far as they are first tokens
    void read(Job & job, uint32_t token, float value);
    void keep_if_wanted(const Step & step);
    void finish(Job & job, double value);
    // The job is over, with this error or with none.
    void end(Job & job, ErrorCode error);
    void drop_done();

    const std::unique_ptr<Lane> lane_;
    const Reading & reading_;
    const Books books_;
    const int split_off_;  // tokens at a step's end that are nodes of their own
    const std::vector<Token> probe_;
    std::vector<std::unique_ptr<Job>> jobs_;
    std::unordered_map<NodeId, Job *> by_node_;
    std::vector<Asked> asked_;
    uint32_t pending_tokens_ = 0;
};

}  // namespace thinktree
