#include "scheduler/state_scores.h"

#include <algorithm>
#include <cmath>

namespace thinktree {

StateScores::StateScores(Lane & lane, std::shared_ptr<const RewardHead> head) : lane_(lane), head_(std::move(head)) {
    if (lane_.forest.forks_at_ends()) {
        throw Error(ErrorCode::invalid_option,
                    "the states of a recurrent or hybrid model cannot be scored beside its writing: name a verifier of "
                    "its own");
    }
}

void StateScores::read(Step & step, float value) {
    if (!step.given && !step.score && std::isfinite(value)) step.score = static_cast<double>(value);
}

void StateScores::score(const std::shared_ptr<Step> & step) {
    std::vector<std::shared_ptr<Step>> path;
    for (std::shared_ptr<Step> at = step; !at->given; at = at->parent) {
        if (!at->score && !at->scoring) path.push_back(at);
    }
    // Parents first: what is decoded for a child gives their rows too.
    for (size_t i = path.size(); i-- > 0;) {
        auto job = std::make_unique<Job>();
        job->step = std::move(path[i]);
        job->step->score_error = ErrorCode::none;
        job->step->scoring = true;
        job->age = lane_.next_age();
        jobs_.push_back(std::move(job));
    }
}

void StateScores::drop(const Search & search) {
    for (const auto & job : jobs_) {
        if (job->step->search == &search) end(*job, ErrorCode::none);
    }
    drop_done();
}

bool StateScores::suspects() const {
    return std::any_of(jobs_.begin(), jobs_.end(), [](const auto & job) { return job->suspect; });
}

uint32_t StateScores::owed() const { return lane_.owed(target_of(*jobs_.front()).id()); }

void StateScores::commit() {
    for (const auto & job : jobs_) {
        Account & account = *job->step->search->account;
        job->promised = account.flops_budget < 0 ? 0 : std::max<int64_t>(1, lane_.owed(target_of(*job).id()));
        account.committed.generator += job->promised;
    }
}

void StateScores::plan() {
    const auto suspect = std::find_if(jobs_.begin(), jobs_.end(), [](const auto & job) { return job->suspect; });
    for (const auto & job : jobs_) {
        job->planned = false;
        if (job->step->score) {
            end(*job, ErrorCode::none);  // whoever went on has read it
        } else if (suspect == jobs_.end()) {
            plan(*job, job->age);
        } else if (job == *suspect) {
            plan(*job, 0);
        }
    }
    drop_done();
}

void StateScores::plan(Job & job, uint64_t age) {
    TokenForest & forest = lane_.forest;
    const Node & own = *job.step->node;
    if (!job.again && own.computed == own.size() && own.row < 0) {
        std::vector<Token> tokens = own.tokens;
        const bool given = own.given;
        job.again = NodeRef(forest, forest.add_child(own.parent, std::move(tokens), given));
        job.again->ever_computed = job.again->size();  // for the ledger: it has been decoded before
    }
    Node & target = *target_of(job);
    Search & search = *job.step->search;
    search.account->committed.generator -= std::exchange(job.promised, 0);
    const NodeId id = target_of(job).id();
    if (!search.affords(lane_.owed_beyond_batch(id, target.size()), 0)) {  // it stays unscored
        search.out_of_flops = true;
        return end(job, ErrorCode::none);
    }
    target.want_last = true;
    const size_t before = lane_.batch().rows.size();
    forest.plan(id, target.size(), age, lane_.batch());
    const size_t rows = lane_.batch().rows.size() - before;
    job.planned = rows > 0;
    search.commit(static_cast<int64_t>(rows));
}

void StateScores::ask() {
    for (const auto & job : jobs_) {
        const int32_t row = target_of(*job)->row;
        job->asked = row >= 0;
        if (!job->asked) continue;
        job->first_ask = lane_.asks().size();
        lane_.asks().push_back(ask_of(row));
    }
}

void StateScores::take(DecodeStatus status) {
    for (const auto & job : jobs_) {
        if (status == DecodeStatus::ok && job->asked) {
            Step & step = *job->step;
            read(step, lane_.answers()[job->first_ask].value);
            // Who goes on from here will draw from the same row.
            if (!job->again && step.cursors > 0) lane_.keep_row(step.node.id());
            end(*job, step.score ? ErrorCode::none : ErrorCode::bad_logits);
        } else if (job->planned && status != DecodeStatus::ok && status != DecodeStatus::aborted) {
            if (job->suspect) end(*job, ErrorCode::decode_failed);
            job->suspect = true;
        }
        job->asked = false;
    }
    drop_done();
}

void StateScores::end(Job & job, ErrorCode error) {
    if (job.done) return;
    Step & step = *job.step;
    step.scoring = false;
    if (error != ErrorCode::none) step.score_error = error;
    const NodeRef & node = target_of(job);
    if (job.again || step.cursors == 0) node->want_last = false;
    lane_.forest.settle(node.id());
    job.done = true;
}

void StateScores::drop_done() {
    std::erase_if(jobs_, [](const auto & job) { return job->done; });
}

}  // namespace thinktree
