#include "scheduler/hidden_states.h"

#include <algorithm>
#include <limits>

namespace thinktree {

HiddenStates::HiddenStates(Lane & lane, std::function<void(Completion)> complete)
    : lane_(lane), complete_(std::move(complete)) {}

void HiddenStates::read(RequestId request, std::shared_ptr<Step> root) {
    auto job = std::make_unique<Job>();
    job->request = request;
    job->root = std::move(root);
    job->age = lane_.next_age();
    jobs_.push_back(std::move(job));
}

void HiddenStates::expire(Clock::time_point now) {
    for (const auto & job : jobs_) {
        if (job->root->search->out_of_time(now)) fail(*job, ErrorCode::exhausted, "the search's deadline has passed");
    }
    drop_done();
}

void HiddenStates::fail(ErrorCode error, const std::string & message, const Search & of) {
    for (const auto & job : jobs_) {
        if (job->root->search == &of) fail(*job, error, message);
    }
    drop_done();
}

// Whether all but the prompt's last token is in the cache.
bool HiddenStates::prefilled(const Job & job) const {
    const NodeId before = lane_.forest[job.root->node.id()].parent;
    return before == no_node || lane_.forest[before].computed == lane_.forest[before].size();
}

void HiddenStates::turn(EngineStats & stats) {
    if (jobs_.empty() || decode(true, stats)) return;
    bool goes_on = decode(false, stats);
    // A branch that goes on from the same state carries it past the prompt's end, and so, where memory forks at ends,
    // nobody may come between a prompt's batches: each would begin again for ever.
    while (!decode(true, stats) && goes_on && lane_.forest.forks_at_ends()) goes_on = decode(false, stats);
}

bool HiddenStates::decode(bool last_tokens, EngineStats & stats) {
    const auto begun = Clock::now();
    plan(last_tokens);
    const auto planned = Clock::now();
    stats.plan_ms += milliseconds(planned - begun);
    const size_t rows = lane_.batch().rows.size();
    DecodeStatus status = DecodeStatus::ok;
    if (rows > 0) {
        status = lane_.decode(last_tokens);
        (last_tokens ? stats.decode_ms : stats.prefill_ms) += milliseconds(Clock::now() - planned);
        ++stats.decodes;
        if (status == DecodeStatus::ok) stats.decoded_tokens += static_cast<int64_t>(rows);
        for (const auto & job : jobs_) {
            if (!job->planned) continue;
            if (status == DecodeStatus::ok) {
                if (last_tokens) answer(*job);
            } else if (status != DecodeStatus::aborted) {
                if (job->suspect) fail(*job, ErrorCode::decode_failed, "the model could not decode this prompt");
                job->suspect = true;
            }
        }
    }
    drop_done();
    return rows > 0 && status != DecodeStatus::aborted;
}

void HiddenStates::plan(bool last_tokens) {
    constexpr uint32_t any_number = std::numeric_limits<uint32_t>::max();
    lane_.begin(jobs_.size(), last_tokens ? 1 : any_number);
    const auto suspect =
        std::find_if(jobs_.begin(), jobs_.end(), [](const auto & job) { return job->suspect && !job->done; });
    for (const auto & job : jobs_) {
        job->planned = false;
        if (job->done || prefilled(*job) != last_tokens) continue;
        if (suspect == jobs_.end()) {
            plan(*job, job->age);
        } else if (job == *suspect) {
            plan(*job, 0);
        }
    }
}

void HiddenStates::plan(Job & job, uint64_t age) {
    TokenForest & forest = lane_.forest;
    const NodeId last = job.root->node.id();
    Search & search = *job.root->search;
    if (!job.again && forest[last].computed > 0) {
        const std::vector<Token> token = forest[last].tokens;
        const NodeId before = forest[last].parent;
        job.again = NodeRef(forest, before == no_node ? forest.add_root(token, search.generator_usage)
                                                      : forest.add_child(before, token, true));
        job.again->ever_computed = 1;  // for the ledger: it has been decoded before
    }
    const NodeId target = target_of(job);
    if (!search.affords(lane_.owed_beyond_batch(target, 1), 0)) {
        return fail(job, ErrorCode::exhausted, "the search's flopsBudget does not pay for its prompt");
    }
    forest[target].want_last = true;
    const size_t before = lane_.batch().rows.size();
    if (prefilled(job)) {
        forest.plan(target, 1, age, lane_.batch());
    } else {
        const NodeId prompt = forest[target].parent;
        forest.plan(prompt, forest[prompt].size(), age, lane_.batch());
    }
    const size_t rows = lane_.batch().rows.size() - before;
    job.planned = rows > 0;
    search.account->committed.generator += static_cast<int64_t>(rows);
}

void HiddenStates::answer(Job & job) {
    const NodeId target = target_of(job);
    const float * hidden = lane_.context->hidden(lane_.forest[target].row);
    Completion completion{};
    completion.request = job.request;
    completion.hidden.assign(hidden, hidden + lane_.model->width());
    complete_(std::move(completion));
    // Solutions begin with the same row.
    if (!job.again && job.root->cursors > 0) lane_.keep_row(target);
    lane_.forest.settle(target);
    job.done = true;
}

void HiddenStates::fail(Job & job, ErrorCode error, const std::string & message) {
    if (job.done) return;
    Completion completion{};
    completion.request = job.request;
    completion.error = error;
    completion.message = message;
    complete_(std::move(completion));
    lane_.forest.settle(target_of(job));
    job.done = true;
}

void HiddenStates::drop_done() {
    std::erase_if(jobs_, [](const auto & job) { return job->done; });
}

}  // namespace thinktree
