#include "scheduler/generator.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "scheduler/step_text.h"

namespace thinktree {

Generator::Generator(std::unique_ptr<Lane> lane, std::unique_ptr<Drafter> drafter, Events events)
    : lane_(std::move(lane)), drafter_(std::move(drafter)), events_(std::move(events)), ahead_(*lane_) {
    if (drafter_ && (lane_->forest.forks_at_ends() || drafter_->lane().forest.forks_at_ends())) {
        throw Error(
            ErrorCode::invalid_option,
            "a recurrent or hybrid model cannot take a wrong guess back, and can neither draft nor be drafted for: "
            "leave draft out");
    }
}

void Generator::score_states(std::shared_ptr<const RewardHead> head) {
    states_ = std::make_unique<StateScores>(*lane_, std::move(head));
}

void Generator::arrive(Step & step) {
    ++step.cursors;
    step.node->forks = true;
}

// Logits are kept for cursors alone; the last one to leave takes them with it.
void Generator::leave(Step & step) {
    if (--step.cursors > 0) return;
    step.node->forks = false;
    step.node->kept_row = {};
    step.node->want_last = false;
}

// A branch that began to write below `step` is a cursor on it again.
void Generator::stop_writing(Step & step) {
    --step.writing;
    arrive(step);
}

void Generator::stand(Branch & branch, std::shared_ptr<Step> step) {
    if (!step) ahead_.drop(branch);
    if (branch.step) leave(*branch.step->place);
    branch.step = std::move(step);
    if (branch.step) arrive(*branch.step->place);
}

void Generator::extend(Branch & branch, const Extend & command) {
    branch.extending = true;
    Writer writer{.branch = &branch,
                  .key = branch.key,
                  .start = branch.step,
                  .request = command.request,
                  .sampler = command.sampler,
                  .steps_left = command.steps,
                  .score = command.score,
                  .ahead = command.ahead,
                  .age = lane_->next_age()};
    if (branch.finished) return complete(writer, FinishReason::end);
    if (branch.search->out_of_flops) return complete(writer, FinishReason::budget);
    // A context that the model's positions cannot hold must not be decoded.
    if (at_length_limit(*lane_, branch, branch.step->place->node.id())) return complete(writer, FinishReason::length);
    Step & place = *branch.step->place;
    lane_->forest.keep(place.node.id());
    if (ahead_.adopt(writer, jobs_)) {
        ++place.writing;
        return leave(place);
    }
    const auto beside = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto & job) {
        // They will draw from the same logits.
        return !job->growing && job->step() == branch.step && !job->reads_only();
    });
    if (beside != jobs_.end()) {
        (*beside)->writers.push_back(std::move(writer));
        return;
    }
    Job & job = *jobs_.emplace_back(std::make_unique<Job>());
    job.age = writer.age;
    job.writers.push_back(std::move(writer));
}

void Generator::each_to_score(const std::function<void(const Step &, const std::string &, uint32_t)> & visit) const {
    for (const auto & job : jobs_) {
        if (job->scores()) visit(*job->step(), job->text, job->written());
    }
}

void Generator::expire(Clock::time_point now) {
    for (const auto & job : jobs_) {
        const Search & search = job->search();
        if (search.out_of_time(now)) {
            finish(*job, FinishReason::deadline);
        } else if (search.out_of_tokens()) {
            finish(*job, FinishReason::budget);
        }
    }
    drop_done();
    ahead_.expire(now);
}

void Generator::fail(ErrorCode error, const std::string & message, const std::function<bool(const Branch &)> & which) {
    for (const auto & job : jobs_) {
        for (Writer & writer : job->writers) {
            if (!writer.done && which(*writer.branch)) fail(*job, writer, error, message);
        }
    }
    drop_done();
}

void Generator::turn(EngineStats & stats) {
    if (!has_work()) return;
    ended_.clear();
    const auto begun = Clock::now();
    plan();
    stats.plan_ms += milliseconds(Clock::now() - begun);
    draft(stats);
    const auto planned = Clock::now();
    ask();
    ahead_.ask();
    if (states_) states_->ask();

    const size_t rows = lane_->batch().rows.size();
    if (rows > 0) {
        const DecodeStatus status = lane_->decode();
        (lane_->batch_is_long() ? stats.prefill_ms : stats.decode_ms) += milliseconds(Clock::now() - planned);
        ++stats.decodes;
        for (const auto & job : jobs_) {
            if (!job->planned) continue;
            if (status != DecodeStatus::ok) job->draft = {};
            if (status == DecodeStatus::ok) {
                const Node & end = lane_->forest[job->end()];
                if (!job->suspect || end.computed < end.size()) continue;
                job->suspect = false;
                lane_->forest.settle(job->end());  // it ran as the oldest of all, and the next suspect needs room
            } else if (status != DecodeStatus::aborted) {
                if (job->suspect) fail(*job, ErrorCode::decode_failed, "the model could not decode this branch");
                job->suspect = true;
            }
        }
        if (status == DecodeStatus::ok) stats.decoded_tokens += static_cast<int64_t>(rows);
        if (status != DecodeStatus::ok && status != DecodeStatus::aborted) ahead_.drop_planned();
        if (states_) states_->take(status);
    }
    const auto decoded = Clock::now();
    take_draws();
    ahead_.take_draws();
    stats.sample_ms += milliseconds(Clock::now() - decoded);
    // Round robin: who was served goes to the back.
    std::stable_partition(jobs_.begin(), jobs_.end(), [](const auto & job) { return !job->planned; });
    drop_done();
    ahead_.begin(ended_);
}

void Generator::plan() {
    // After a failed batch its members run before all others, each alone until it has all that it owes, so that only
    // the guilty one fails.
    const Job * alone = nullptr;
    for (const auto & job : jobs_) {
        if (job->suspect && (alone == nullptr || job->age < alone->age)) alone = job.get();
    }
    lane_->oldest_first(jobs_);
    if (alone == nullptr && states_ && (states_->suspects() || jobs_.empty())) {
        for (const auto & job : jobs_) job->planned = false;
        lane_->begin(states_->steps(), states_->owed());
        return states_->plan();
    }
    plan(lane_->owed((alone != nullptr ? *alone : *jobs_.front()).end()), alone);
    // A long path that found no room leaves the turn to the others.
    if (lane_->batch().rows.empty() && lane_->batch_is_long()) plan(0, alone);
    if (alone == nullptr) ahead_.plan(jobs_);
}

void Generator::plan(uint32_t owed, const Job * alone) {
    TokenForest & forest = lane_->forest;
    lane_->begin(jobs_.size() + (states_ ? states_->steps() : 0), owed);
    // Who needs no row to draw from goes on first, to be in time for the batch of all others.
    const bool some_ready = std::any_of(jobs_.begin(), jobs_.end(), [&](const auto & job) {
        return !job->done && (job->known || !forest[job->end()].kept_row.empty());
    });
    // So that steps do not wait for those that begin meanwhile.
    if (states_ && alone == nullptr && !some_ready) states_->plan();
    for (const auto & job : jobs_) {
        job->planned = false;
        if (job->done || job->known || (alone != nullptr && job.get() != alone)) continue;
        const NodeId end = job->end();
        Node & node = forest[end];
        const bool kept = !node.kept_row.empty();
        if (!kept && some_ready) continue;
        if (!kept) node.want_last = true;
        // Computed, but nobody kept the logits: the path is computed again.
        if (!kept && node.computed == node.size() && !forest.park_below(end)) continue;
        Search & search = job->search();
        const uint32_t owes = kept ? 0 : lane_->owed_beyond_batch(end, node.size());
        const int64_t to_score = job->scores() ? 1 : 0;  // the token that comes of it
        if (!search.affords(owes, to_score)) {
            search.out_of_flops = true;
            finish(*job, FinishReason::budget);
            continue;
        }
        if (!kept) {
            if (lane_->batch_is_long() && lane_->owed(end) == 1) continue;
            const size_t before = lane_->batch().rows.size();
            forest.plan(end, node.size(), alone != nullptr ? 0 : job->age, lane_->batch());
            const size_t rows = lane_->batch().rows.size() - before;
            job->planned = rows > 0;
            search.commit(static_cast<int64_t>(rows));
        }
        // Its logits are kept, or come with its own rows or with another's of the same place.
        if (owes == 0 || job->planned) search.account->committed += Account::scoring(to_score);
    }
}

// Every writer goes its way: those that have drawn the same token stay together, and that token counts once. Returns
// the job that has drawn what its draft began with, if one has: it can draw from the draft's next row.
Job * Generator::apply(Job & job, std::span<const Answer> drawn) {
    lane_->served(job.age);
    if (job.reads_only()) {
        take_read(job, drawn.front().value);
        return nullptr;
    }
    if (ends_here(job, drawn.front())) return nullptr;
    const auto is_guessed = [&](const Answer & answer) { return answer.token == job.draft->tokens.front(); };
    if (job.draft && std::none_of(drawn.begin(), drawn.end(), is_guessed)) job.draft = {};

    std::vector<Way> ways;
    std::vector<Writer> uncertain;
    for (size_t i = 0; i < drawn.size(); ++i) {
        Writer & writer = job.writers[i];
        if (writer.peeking && !lane_->model->is_end(drawn[i].token)) {
            complete(writer, FinishReason::step);  // the branch will draw it again when it goes on
            continue;
        }
        const bool ends = lane_->model->is_end(drawn[i].token);
        if (!ends && ends_step_before(drawn[i].value, job.text, job.search().rules)) {
            uncertain.push_back(std::move(writer));
        } else {
            way_of(ways, drawn[i]).writers.push_back(std::move(writer));
        }
    }
    Search & search = job.search();
    // A step to be scored is paid for while it is written; where the text parts, every further part pays for its own.
    const int64_t again = search.account->flops_budget < 0 ? 0 : events_.tokens_to_score(job.text, job.written()) + 1;
    bool paid = std::any_of(uncertain.begin(), uncertain.end(), [](const Writer & w) { return w.score; });
    if (!uncertain.empty()) end_before(job, std::move(uncertain), ways.empty());
    std::vector<Writer> stopped;
    std::erase_if(ways, [&](Way & way) {
        const bool scores =
            std::any_of(way.writers.begin(), way.writers.end(), [](const Writer & w) { return w.score; });
        const int64_t owes = scores && paid ? again : 0;
        if (!search.out_of_tokens() && search.affords(0, owes)) {
            paid = paid || scores;
            search.account->committed += Account::scoring(owes);
            search.count_generated();
            search.coalesced += static_cast<int64_t>(way.writers.size()) - 1;
            return false;
        }
        std::move(way.writers.begin(), way.writers.end(), std::back_inserter(stopped));
        return true;
    });
    std::vector<Job *> jobs{&job};
    for (size_t i = 1; i < ways.size(); ++i) jobs.push_back(&part(job, std::move(ways[i].writers)));
    if (!stopped.empty()) finish(part(job, std::move(stopped)), FinishReason::budget);  // all in one step
    if (ways.empty()) {
        job.writers.clear();
        job.done = true;
        return nullptr;
    }
    job.writers = std::move(ways.front().writers);
    job.age = job.oldest();
    Job * follows = nullptr;
    NodeRef draft = std::move(job.draft);
    for (size_t i = 0; i < ways.size(); ++i) {
        if (draft && draft->tokens.front() == ways[i].drawn.token) follows = jobs[i];
        write(*jobs[i], ways[i].drawn, draft);
    }
    if (draft) job.draft = std::move(draft);  // nobody's: who had drawn it was stopped
    return follows;
}

// Completes what may not go on from here, whatever it has drawn.
bool Generator::ends_here(Job & job, const Answer & drawn) {
    if (job.search().out_of_tokens()) {
        finish(job, FinishReason::budget);
    } else if (drawn.token < 0) {
        fail(job, ErrorCode::bad_logits, "the model's logits are not finite: its weights are broken");
    } else if (at_length_limit(*lane_, *job.writers.front().branch, job.end())) {
        finish(job, FinishReason::length);
    } else {
        return false;
    }
    return true;
}

Job & Generator::part(const Job & job, std::vector<Writer> writers) {
    return *jobs_.emplace_back(job.part(std::move(writers)));
}

// What the job has drawn is its text's next token. A draft that begins with it is the job's own from now on.
void Generator::write(Job & job, const Answer & drawn, NodeRef & draft) {
    ++job.tokens;
    job.log_probability += static_cast<double>(drawn.value);
    if (lane_->model->is_end(drawn.token)) return finish(job, FinishReason::end);

    if (!job.growing) {
        Step & place = *job.step()->place;
        place.writing += static_cast<int32_t>(job.writers.size());
        for (size_t i = 0; i < job.writers.size(); ++i) leave(place);
    }
    const size_t known = job.text.size();
    // A draft hangs on the text that it may go on.
    job.append(lane_->forest, drawn.token, lane_->model->piece(drawn.token), false, draft ? 1 : 0);
    if (draft && draft->tokens.front() == drawn.token) {
        lane_->adopt(job.growing.id(), draft.id());
        if (draft->tokens.empty()) draft = {};
        job.draft = std::move(draft);
    }

    const StopRules & rules = job.search().rules;
    const size_t stop = find_stop(job.text, known, rules);
    if (stop != std::string::npos) {
        job.text.resize(stop);
        job.cut = true;
        return finish(job, FinishReason::end);
    }
    if (!ends_step(job.text, known, job.tokens, job.scan, rules)) return;
    if (is_last(job.text, rules)) return finish(job, FinishReason::end);
    end_step(job, false);
    for (Writer & writer : job.writers) {
        if (--writer.steps_left > 0) continue;
        // Where a prefix marks the last step, this one is not it.
        writer.peeking = rules.final_prefix.empty();
        if (!writer.peeking) complete(writer, FinishReason::step);
    }
    job.done = std::all_of(job.writers.begin(), job.writers.end(), [](const Writer & writer) { return writer.done; });
}

// The step of these writers ends before what they have drawn, which is not written: whoever goes on draws it again,
// from the same row. They are all of the job's, or others have gone on otherwise.
void Generator::end_before(Job & job, std::vector<Writer> writers, bool all) {
    Job & ending = part(job, std::move(writers));
    if (all) ending.copy = std::move(job.copy);
    end_step(ending, false);
    stood_at_.push_back(ending.step());
    for (Writer & writer : ending.writers) {
        if (--writer.steps_left == 0) complete(writer, FinishReason::step);
    }
    std::erase_if(ending.writers, [](const Writer & writer) { return writer.done; });
    ending.done = ending.writers.empty();
}

// What the job has written becomes a step, and all its writers stand there.
void Generator::end_step(Job & job, bool last) {
    const std::shared_ptr<Step> above = job.step();
    auto step = std::make_shared<Step>();
    if (job.reward) StateScores::read(*step, *job.reward);
    step->parent = above;
    step->search = above->search;
    step->node = std::move(job.growing);
    step->text = job.text;
    step->cut = job.cut;
    step->last = last;
    step->solution_start = above->solution_start;
    above->expect_readings();
    if (drafter_) drafter_->end_step(job.copy, *step);
    bool score = false;
    for (Writer & writer : job.writers) {
        stop_writing(*above->place);
        stand(*writer.branch, step);
        writer.written.push_back(
            {job.text, job.tokens, job.log_probability, {{}, step->tokens(), step->cut, last, false}});
        score = score || writer.score;
    }
    job.text.clear();
    job.scan = {};
    job.tokens = 0;
    job.log_probability = 0;
    if (score) events_.step_ended(step);
}

void Generator::finish(Job & job, FinishReason reason) {
    job.draft = {};
    if (job.growing) end_step(job, reason == FinishReason::end);
    for (Writer & writer : job.writers) complete(writer, reason);
    job.done = true;
}

void Generator::complete(Writer & writer, FinishReason reason) {
    writer.done = true;
    if (!writer.pair) writer.branch->finished = reason == FinishReason::end;
    writer.branch->extending = false;
    if (writer.ahead > 0 && reason == FinishReason::step) {
        ended_.push_back({writer.branch, writer.sampler, writer.ahead});
    }
    lane_->forest.settle(writer.branch->step->place->node.id());
    Completion completion{};
    completion.request = writer.request;
    completion.search = writer.branch->search->id;
    completion.reason = reason;
    completion.steps = std::move(writer.written);
    if (writer.pair) completion.scores = {writer.value};
    events_.complete(std::move(completion));
}

void Generator::fail(Job & job, ErrorCode error, const std::string & message) {
    job.draft = {};
    for (Writer & writer : job.writers) fail(job, writer, error, message);
    job.done = true;
}

void Generator::fail(const Job & job, Writer & writer, ErrorCode error, const std::string & message) {
    writer.done = true;
    const std::shared_ptr<Step> above = writer.branch->step;
    lane_->forest.settle(job.growing ? job.growing.id() : above->place->node.id());
    if (job.growing) stop_writing(*above->place);
    stand(*writer.branch, writer.start);  // the caller is told of no step, and so there is none
    writer.branch->extending = false;
    Completion completion{};
    completion.request = writer.request;
    completion.error = error;
    completion.message = message;
    events_.complete(std::move(completion));
}

void Generator::drop_done() {
    for (const auto & job : jobs_) std::erase_if(job->writers, [](const Writer & writer) { return writer.done; });
    std::erase_if(jobs_, [](const auto & job) { return job->writers.empty(); });
}

}  // namespace thinktree
