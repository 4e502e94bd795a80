// The generator's part between plan and apply: which texts get a draft, what is asked of which row, who draws from it,
// and who only reads it.
#include <algorithm>
#include <cmath>
#include <utility>

#include "scheduler/generator.h"

namespace thinktree {

// How many tokens after the next could be written in one turn, if they were guessed.
uint32_t Generator::draftable(const Job & job) const {
    const Node & end = lane_->forest[job.end()];
    const Search & search = job.search();
    // Its last token alone is owed and in the batch. A budget of operations would pay for guesses that are wrong, and
    // the search would end elsewhere than without them.
    if (!job.planned || job.suspect || end.row < 0 || lane_->owed(job.end()) > 1) return 0;
    if (search.account->flops_budget >= 0) return 0;
    int64_t most = drafter_->options().tokens;
    const int64_t next = end.end() + 1;
    most = std::min<int64_t>(most, lane_->context->limits().positions - next);
    if (search.max_length >= 0) most = std::min(most, job.step()->solution_start + search.max_length - next);
    if (search.account->token_budget >= 0) {
        most = std::min(most, search.account->token_budget - search.account->generated - 1);
    }
    return static_cast<uint32_t>(std::max<int64_t>(0, most));
}

// Texts that owe one token get as many guessed ones with it as there is room for.
void Generator::draft(EngineStats & stats) {
    if (!drafter_ || jobs_.size() > drafter_->options().branches || lane_->batch_is_long()) return;
    std::vector<Job *> jobs;
    std::vector<Drafter::Request> requests;
    for (const auto & job : jobs_) {
        // Who is peeking writes no more.
        const auto writer = std::find_if(job->writers.begin(), job->writers.end(),
                                         [](const Writer & w) { return !w.peeking && !w.pair && !w.done; });
        const uint32_t most = writer == job->writers.end() ? 0 : draftable(*job);
        if (most == 0) continue;
        Step & place = *job->step()->place;
        std::vector<Token> text;
        if (job->growing) text = job->growing.path_below(place.node.id());
        jobs.push_back(job.get());
        requests.push_back({job->copy, place, std::move(text), writer->sampler, writer->key, most});
    }
    if (requests.empty()) return;
    drafter_->guess(requests, stats);
    TokenForest & forest = lane_->forest;
    for (size_t i = 0; i < jobs.size(); ++i) {
        std::vector<Token> & tokens = requests[i].guess;
        tokens.resize(std::min<size_t>(tokens.size(), forest.room(lane_->batch())));
        if (tokens.empty()) continue;
        NodeRef draft(forest, forest.add_draft(jobs[i]->end(), std::move(tokens)));
        draft->want_inner = draft->want_last = true;
        if (forest.plan_draft(draft.id(), lane_->batch())) jobs[i]->draft = std::move(draft);
    }
}

// Each writer draws from the row after what it has written, and from those of its draft: here from this batch's.
void Generator::ask() {
    for (const auto & job : jobs_) {
        const Node & end = lane_->forest[job->end()];
        job->first_ask = lane_->asks().size();
        if (job->done || job->known || !end.kept_row.empty() || end.row < 0) continue;
        ask(*job, end.row, end.end());
        if (!job->draft) continue;
        const auto tokens = static_cast<int32_t>(job->draft->size());
        for (int32_t i = 1; i <= tokens; ++i) ask(*job, job->draft->row - tokens + i, job->draft->start + i);
    }
}

// Where a head reads states, also what it says of the text up to this row.
void Generator::ask(Job & job, int32_t row, Pos position) {
    job.ask(lane_->asks(), row, position);
    if (states_) lane_->asks().push_back(states_->ask_of(row));
}

void Generator::take_draws() {
    struct Ready {
        Job * job;
        std::shared_ptr<Step> at;  // the step whose end branches may come back to; null inside a step
        std::span<const float> kept_row;
    };
    std::vector<Ready> ready;
    for (const auto & job : jobs_) {
        const Node & end = lane_->forest[job->end()];
        if (job->done || (!job->known && end.kept_row.empty() && end.row < 0)) continue;
        ready.push_back({job.get(), job->growing ? nullptr : job->step(), end.kept_row});
    }
    for (const auto & [job, at, kept_row] : ready) {
        if (at) stood_at_.push_back(at);
        if (job->known || !kept_row.empty()) {
            apply(*job, drawn(*job, kept_row));
        } else {
            take_draws(*job);
        }
    }
    // Cursors that stay where a row was computed will want it when they go on.
    for (const auto & step : stood_at_) {
        if (step->place->cursors > 0) lane_->keep_row(step->place->node.id());
    }
    stood_at_.clear();
}

// What is drawn without a row of this batch.
std::span<const Answer> Generator::drawn(Job & job, std::span<const float> kept_row) {
    if (!job.known) return kept_rows_.draw(job, kept_row);
    known_.assign(job.writers.size(), *std::exchange(job.known, std::nullopt));
    return known_;
}

// From the row after the text, and as long as somebody draws what was guessed, from the next one.
void Generator::take_draws(Job & job) {
    const size_t writers = job.writers.size();
    const size_t rows = 1 + (job.draft ? job.draft->size() : 0);
    const size_t asks = writers + (states_ ? 1 : 0);
    const std::span<const Answer> answers = lane_->answers().subspan(job.first_ask, rows * asks);
    for (size_t i = 0; i < writers; ++i) job.writers[i].asked = i;
    std::vector<Answer> drawn;
    Job * at = &job;
    for (size_t row = 0; at != nullptr && !at->writers.empty(); ++row) {
        drawn.clear();
        for (const Writer & writer : at->writers) drawn.push_back(answers[row * asks + writer.asked]);
        if (states_) take_reward(*at, answers[row * asks + writers].value);
        Job * const next = apply(*at, drawn);
        if (next != at) drop_draft(*at);
        at = next;
        if (at == nullptr) break;
        if (!at->growing && !at->writers.front().branch->finished) stood_at_.push_back(at->step());
        std::erase_if(at->writers, [](const Writer & writer) { return writer.done; });
        if (at->writers.empty()) drop_draft(*at);
    }
}

// Of the text up to here: its step's, if that has just begun.
void Generator::take_reward(Job & job, float value) {
    if (job.growing) {
        job.reward = value;
    } else {
        StateScores::read(*job.step(), value);
    }
}

// Gives the cells back. A text that has ended in the meantime must not hold the lease that comes back to it.
void Generator::drop_draft(Job & job) {
    if (!job.draft) return;
    const NodeId before = job.draft->parent;
    job.draft = {};
    if (job.done) lane_->forest.settle(before);
}

void Generator::read(Branch & branch, RequestId request, PairProbability pair) {
    const Node & end = *branch.step->place->node;
    if (end.end() > lane_->context->limits().positions) {
        throw Error(ErrorCode::context_exceeded, "the context does not hold what is to be read");
    }
    branch.extending = true;
    Writer writer{.branch = &branch,
                  .key = branch.key,
                  .start = branch.step,
                  .request = request,
                  .sampler = {},
                  .age = lane_->next_age(),
                  .pair = pair};
    if (branch.search->out_of_flops) return complete(writer, FinishReason::budget);
    lane_->forest.keep(branch.step->place->node.id());
    Job & job = *jobs_.emplace_back(std::make_unique<Job>());
    job.age = writer.age;
    job.writers.push_back(std::move(writer));
}

void Generator::take_read(Job & job, float value) {
    if (!std::isfinite(value)) {
        return fail(job, ErrorCode::bad_logits, "the model's logits are not finite: its weights are broken");
    }
    job.writers.front().value = static_cast<double>(value);
    finish(job, FinishReason::step);
}

}  // namespace thinktree
