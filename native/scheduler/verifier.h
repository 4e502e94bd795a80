// Owns: scoring: what a step's tokens are to the verifier, and the score that is made of what its models say of them.
// Must not know: the queue, how steps are written, batches. Thread: the scheduler thread.
//
// A verifier is one model or two: an implicit PRM compares its log-probabilities with those of a reference model. Both
// read the same tokens, each in its own forest and in its own time; a score is there when both have read the step.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/step_reader.h"

namespace thinktree {

class Verifier {
public:
    // `reference`: null for none. `generator`: whose tokens the steps are made of; if the vocabularies are equal they
    // may be taken as they are. Throws Error (invalid_option): the reference's vocabulary is not the verifier's, or the
    // reading cannot be.
    Verifier(std::unique_ptr<Lane> lane, std::unique_ptr<Lane> reference, Reading reading, const Model & generator);

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
    // What scoring a step of this text would cost each model that is so many of the generator's tokens.
    int64_t tokens_to_score(const std::string & text, uint32_t tokens) const;
    // Forgets the unfinished scoring of a search.
    void drop(const Search & search);

    bool has_work() const { return !scoring_.empty(); }
    // Small pieces wait for company while the generator is busy: a decode of few rows costs nearly as much as one of
    // many.
    bool worth_a_turn(bool generator_busy);
    void turn(EngineStats & stats);

    Lane & lane() { return model_.lane(); }
    // Null if there is none.
    Lane * reference() { return reference_ ? &reference_->lane() : nullptr; }

private:
    void begin(const std::shared_ptr<Step> & step);
    void begin_context(Step & context);
    Piece piece_of(const Step & step) const;
    int64_t room_after(const Step & step) const;
    void settle();
    bool is_settled(Step & step);
    double log_ratio(const Step & step) const;

    template <class Act>
    void each_model(Act act) const {
        act(model_);
        if (reference_) act(*reference_);
    }
    template <class Act>
    void each_model(Act act) {
        act(model_);
        if (reference_) act(*reference_);
    }

    const Reading reading_;
    StepReader model_;
    std::optional<StepReader> reference_;
    const bool own_tokens_;                       // steps are the generator's tokens, which mean the same here
    std::vector<std::shared_ptr<Step>> scoring_;  // parents before their children
    int32_t turns_waited_ = 0;
};

}  // namespace thinktree
