// Owns: one model's branches that are being extended: one batch a turn for all of them, its draws, and where steps end.
// Branches that draw the same tokens from the same place write one text, decoded once. Where few texts are written,
// each may have a draft, decoded with its last token: a branch draws from every row of it as long as what it draws is
// what was guessed. A draft changes how many tokens a decode gives, and nothing else. Must not know: the queue,
// verifiers, how drafts are made. Thread: the scheduler thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "scheduler/ahead.h"
#include "scheduler/drafter.h"
#include "scheduler/state_scores.h"

namespace thinktree {

class Generator {
public:
    struct Events {
        std::function<void(Completion)> complete;
        std::function<void(const std::shared_ptr<Step> &)> step_ended;  // of an Extend that asked for scores
        // What scoring a step of this text and so many tokens would cost.
        std::function<int64_t(const std::string &, uint32_t)> tokens_to_score;
    };

    // `drafter`: null for none. Throws Error (invalid_option) where one of the two models cannot take a guess back.
    Generator(std::unique_ptr<Lane> lane, std::unique_ptr<Drafter> drafter, Events events);

    // The empty solution of a new search. Throws Error (empty_prompt, context_exceeded).
    std::shared_ptr<Step> open(Search & search, const Text & prompt, bool again);
    // A context of `text` after what the branch has read and written.
    std::shared_ptr<Step> condition(const Branch & branch, const Text & text, bool again);
    // The branch, which is not being extended, goes on to a step of this text; `last`: and its solution ends there.
    void write(Branch & branch, const std::string & text, bool last, bool again);
    // As above, to a step that was written before: by these tokens of the model's.
    void restore(Branch & branch, WrittenStep written);
    void extend(Branch & branch, const Extend & command);
    // What comes after all that the branch has. Throws Error (context_exceeded).
    void read(Branch & branch, RequestId request, PairProbability pair);
    // `child` was made of `parent`, and stands where it stands.
    void fork(const Branch & parent, Branch & child) { ahead_.hand_over(parent, child); }
    // The branch stands at `step` from now on; null: nowhere.
    void stand(Branch & branch, std::shared_ptr<Step> step);

    // Each step that is being written and will be scored: the step above it, its text and its tokens so far.
    void each_to_score(const std::function<void(const Step &, const std::string &, uint32_t)> & visit) const;

    // Completes what a spent budget or deadline has ended.
    void expire(Clock::time_point now);
    // Fails every extend that `which` accepts.
    void fail(ErrorCode error, const std::string & message, const std::function<bool(const Branch &)> & which);

    // Its own states are scored by this head from now on. Throws Error (invalid_option).
    void score_states(std::shared_ptr<const RewardHead> head);
    // Null if there is no such head.
    StateScores * states() { return states_.get(); }

    bool has_work() const { return !jobs_.empty() || (states_ && states_->has_work()); }
    // One batch: plan, draft, ask, decode, take what was drawn, end steps.
    void turn(EngineStats & stats);

    Lane & lane() { return *lane_; }
    const Drafter * drafter() const { return drafter_.get(); }

private:
    std::shared_ptr<Step> add_step(const std::shared_ptr<Step> & above, std::vector<Token> tokens, bool given,
                                   bool again);
    static void arrive(Step & step);
    static void leave(Step & step);
    static void stop_writing(Step & step);
    void plan();
    void plan(uint32_t owed, const Job * alone);
    void draft(EngineStats & stats);
    uint32_t draftable(const Job & job) const;
    void drop_draft(Job & job);
    void ask();
    void ask(Job & job, int32_t row, Pos position);
    void take_draws();
    void take_draws(Job & job);
    std::span<const Answer> drawn(Job & job, std::span<const float> kept_row);
    static void take_reward(Job & job, float value);
    Job * apply(Job & job, std::span<const Answer> drawn);
    void take_read(Job & job, float value);
    bool ends_here(Job & job, const Answer & drawn);
    Job & part(const Job & job, std::vector<Writer> writers);
    void write(Job & job, const Answer & drawn, NodeRef & draft);
    void end_step(Job & job, bool last);
    void end_before(Job & job, std::vector<Writer> writers, bool all);
    void finish(Job & job, FinishReason reason);
    void complete(Writer & writer, FinishReason reason);
    void fail(Job & job, ErrorCode error, const std::string & message);
    void fail(const Job & job, Writer & writer, ErrorCode error, const std::string & message);
    void drop_done();

    std::unique_ptr<Lane> lane_;
    std::unique_ptr<Drafter> drafter_;
    std::unique_ptr<StateScores> states_;  // null: its states are nobody's scores
    Events events_;
    KeptRows kept_rows_;
    std::vector<Answer> known_;
    Ahead ahead_;
    std::vector<Ahead::Offer> ended_;              // in this turn
    std::vector<std::shared_ptr<Step>> stood_at_;  // likewise: from whose ends was drawn
    // In the order of their next turn: those that were decoded last stand last.
    Jobs jobs_;
};

}  // namespace thinktree
