// Owns: the branches that are being extended: one batch a turn for all of them, its draws, and where steps end.
// Branches that draw the same tokens from the same place write one text, decoded once. Where few texts are written,
// each may have a draft, decoded with its last token: a branch draws from every row of it as long as what it draws is
// what was guessed. A draft changes how many tokens a decode gives, and nothing else. Must not know: the queue,
// verifiers, how drafts are made. Thread: the scheduler thread.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "sampling/sampler.h"
#include "scheduler/drafter.h"
#include "scheduler/lane.h"
#include "scheduler/search.h"

namespace thinktree {

class Generator {
public:
    struct Events {
        std::function<void(Completion)> complete;
        std::function<void(const std::shared_ptr<Step> &)> step_ended;  // of an Extend that asked for scores
        // What scoring a step of this text and so many tokens would cost.
        std::function<int64_t(const std::string &, uint32_t)> tokens_to_score;
    };

    // `drafter`: null for none.
    Generator(std::unique_ptr<Lane> lane, std::unique_ptr<Drafter> drafter, Events events);

    // The empty solution of a new search. Throws Error (empty_prompt, context_exceeded).
    std::shared_ptr<Step> open(Search & search, const std::string & prompt);
    // A context of `text` after what the branch has read and written.
    std::shared_ptr<Step> condition(const Branch & branch, const std::string & text);
    void extend(Branch & branch, const Extend & command);
    // The branch stands at `step` from now on; null: nowhere.
    void stand(Branch & branch, std::shared_ptr<Step> step);

    // Each step that is being written and will be scored: the step above it, its text and its tokens so far.
    void each_to_score(const std::function<void(const Step &, const std::string &, uint32_t)> & visit) const;

    // Completes what a spent budget or deadline has ended.
    void expire(Clock::time_point now);
    // Fails every extend that `which` accepts.
    void fail(ErrorCode error, const std::string & message, const std::function<bool(const Branch &)> & which);

    bool has_work() const { return !jobs_.empty(); }
    // One batch: plan, draft, ask, decode, take what was drawn, end steps.
    void turn(EngineStats & stats);

    Lane & lane() { return *lane_; }
    const Drafter * drafter() const { return drafter_.get(); }

private:
    // A branch that is being extended.
    struct Writer {
        Branch * branch;
        std::shared_ptr<Step> start;  // where the branch goes back to if this fails
        RequestId request;
        SamplerOptions sampler;
        uint32_t steps_left;
        bool score;
        uint64_t age;
        std::vector<StepResult> written = {};
        // All steps are written. If the branch draws the end token next, they are a whole solution and not one that
        // would have to be extended, and be forked, to say nothing more. Forks from here will sample from the same row,
        // so that looking costs a survivor nothing.
        bool peeking = false;
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
        bool cut = false;  // a stop string ended it: the text is shorter than the tokens
        uint32_t tokens = 0;
        double log_probability = 0;
        size_t first_ask = 0;  // of its writers' draws from rows of the batch, row by row
        bool planned = false;
        bool suspect = false;  // was in a batch that failed: runs alone until cleared
        bool done = false;

        bool scores() const {
            return std::any_of(writers.begin(), writers.end(), [](const Writer & w) { return w.score && !w.done; });
        }
        Search & search() const { return *writers.front().branch->search; }
        const std::shared_ptr<Step> & step() const { return writers.front().branch->step; }
    };

    NodeId end_of(const Job & job) const { return job.growing ? job.growing.id() : job.step()->place->node.id(); }
    uint32_t written(const Job & job) const;
    bool at_length_limit(const Branch & branch, NodeId end) const;
    static void leave(Step & step);
    static void stop_writing(Step & step);
    void plan();
    void plan(uint32_t owed, const Job * alone);
    void draft(EngineStats & stats);
    uint32_t draftable(const Job & job) const;
    void drop_draft(Job & job);
    void ask();
    void ask(const Job & job, std::vector<Ask> & asks) const;
    void take_draws();
    void take_draws(Job & job, std::vector<std::shared_ptr<Step>> & stood_at);
    std::span<const Answer> drawn_from(std::span<const float> kept_row, const Job & job);
    Job * apply(Job & job, std::span<const Answer> drawn);
    bool ends_here(Job & job, const Answer & drawn);
    Job & part(Job & job, std::vector<Writer> writers);
    void write(Job & job, const Answer & drawn, NodeRef & draft);
    void end_step(Job & job);
    void finish(Job & job, FinishReason reason);
    void complete(Writer & writer, FinishReason reason);
    void fail(Job & job, ErrorCode error, const std::string & message);
    void fail(const Job & job, Writer & writer, ErrorCode error, const std::string & message);
    void drop_done();

    std::unique_ptr<Lane> lane_;
    std::unique_ptr<Drafter> drafter_;
    Events events_;
    // For rows that were kept from earlier decodes.
    Sampler sampler_;
    std::vector<Ask> asks_;
    std::vector<Answer> answers_;
    // In the order of their next turn: those that were decoded last stand last.
    std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace thinktree
