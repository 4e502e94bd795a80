// Owns: what is written before it is asked for. A branch that ends its step while others of its search still write
// leaves a row of the batch empty. If it survives it will be forked, and the random streams of its children are known
// by now, so that their text can be begun in that row; when the children come to be, they go on from there. Of who does
// not survive, it is dropped. Must not know: the queue, verifiers, who completes. Thread: the scheduler thread.
//
// After speculative beam extension in Chen et al. 2025, "FastTTS". Nothing changes but the time that a search takes:
//   - a child draws what it would have drawn: its random numbers are by (seed, path of forks, position);
//   - nothing is completed or scored: before the token that ends its step, a text waits for its branch;
//   - no row, lease or cell is taken that somebody else could use (`spare` in token_forest.h), and no batch is decoded
//     that nobody waits for.
#pragma once

#include <vector>

#include "scheduler/job.h"

namespace thinktree {

class Ahead {
public:
    // A branch that has ended its step, and what becomes of it if it survives.
    struct Offer {
        Branch * branch;
        SamplerOptions sampler;
        uint32_t children;
    };

    explicit Ahead(Lane & lane) : lane_(lane) {}

    // Will begin the next step of these children. Not where there is a budget of tokens or operations: what is dropped
    // must not be what ends a search.
    void begin(const std::vector<Offer> & offers);
    // What was written for this child of `parent` is the child's own now.
    void hand_over(const Branch & parent, Branch & child);
    // The writer goes on, in one of `jobs`, where its text has come to. False: it begins its step, for there is no such
    // text, or it would write another. In either case nothing is left of what the branch had.
    bool adopt(Writer & writer, Jobs & jobs);
    void drop(const Branch & branch);
    void expire(Clock::time_point now);

    // Fills up the batch of `jobs`: each search that is among them gets as many rows at most as texts of it have ended
    // early, those below the best scored steps first.
    void plan(const Jobs & jobs);
    void ask();
    void take_draws();
    // The batch has failed, for whatever reason.
    void drop_planned();

private:
    // All that is written below one step.
    struct Below {
        std::shared_ptr<Step> step;
        Jobs jobs;
    };

    std::vector<Below>::iterator below(const Branch & branch);
    bool plan(const Job & job);
    bool waits(const Job & job) const;
    void apply(Below & below, Job & job, std::span<const Answer> drawn);
    void write(Job & job, const Answer & drawn);
    bool ends_before(const Job & job, const Answer & drawn) const;
    bool ends_with(const Job & job, Token token) const;
    void keep(const Job & job);

    Lane & lane_;
    KeptRows kept_rows_;
    std::vector<Below> all_;
};

}  // namespace thinktree
