#include "scheduler/job.h"

#include <limits>

#include "base/counter_rng.h"

namespace thinktree {

uint64_t Job::oldest() const {
    uint64_t age = std::numeric_limits<uint64_t>::max();
    for (const Writer & writer : writers) age = std::min(age, writer.age);
    return age;
}

void Job::append(TokenForest & forest, Token token, const std::string & piece, bool speculative, uint32_t drafts) {
    if (growing && growing->refs == 1 + drafts && growing->speculative == speculative) {
        forest.append(growing.id(), token);
    } else {  // others have written the same so far, or have ended there
        if (growing) growing->want_last = false;
        growing = NodeRef(forest, forest.add_child(end(), {token}));
        growing->speculative = speculative;
    }
    text += piece;
    reward.reset();
}

std::unique_ptr<Job> Job::part(std::vector<Writer> some) const {
    auto other = std::make_unique<Job>();
    other->writers = std::move(some);
    other->age = other->oldest();
    if (growing) other->growing = growing.share();
    other->text = text;
    other->scan = scan;
    other->tokens = tokens;
    other->log_probability = log_probability;
    other->reward = reward;
    other->planned = planned;
    other->suspect = suspect;
    return other;
}

void Job::ask(std::vector<Ask> & asks, int32_t row, Pos position) const {
    for (const Writer & writer : writers) {
        if (writer.pair) {
            asks.push_back({row, *writer.pair});
        } else {
            asks.push_back({row, Draw{writer.sampler, uniform_at(writer.key, static_cast<uint32_t>(position))}});
        }
    }
}

Way & way_of(std::vector<Way> & ways, const Answer & drawn) {
    const auto same =
        std::find_if(ways.begin(), ways.end(), [&](const Way & way) { return way.drawn.token == drawn.token; });
    return same != ways.end() ? *same : ways.emplace_back(Way{drawn, {}});
}

bool at_length_limit(const Lane & lane, const Branch & branch, NodeId node) {
    const Pos end = lane.forest[node].end();
    const int64_t max_length = branch.search->max_length;
    return end >= lane.context->limits().positions ||
           (max_length >= 0 && end - branch.step->solution_start >= max_length);
}

std::span<const Answer> KeptRows::draw(const Job & job, std::span<const float> row) {
    asks_.clear();
    job.ask(asks_, 0, job.end_position());
    answers_.resize(asks_.size());
    answer(asks_, {row, {}}, sampler_, answers_);
    return answers_;
}

}  // namespace thinktree
