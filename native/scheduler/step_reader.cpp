#include "scheduler/step_reader.h"

#include <algorithm>
#include <cmath>

#include "sampling/sampler.h"

namespace thinktree {

StepReader::StepReader(std::unique_ptr<Lane> lane, const Reading & reading, Books books)
    : lane_(std::move(lane)),
      reading_(reading),
      books_(books),
      split_off_(reading.before_last ? 1 : static_cast<int>(reading.replaceable())),
      probe_(lane_->model->tokenize(template_text(reading.probe), false)) {}

void StepReader::add_root(Step & root, std::vector<Token> tokens) {
    TokenForest & forest = lane_->forest;
    of(root).node = NodeRef(forest, forest.add_root(std::move(tokens), root.search->*books_.usage));
    if (root.again) of(root).node->ever_computed = of(root).node->size();
}

void StepReader::add_context(Step & context, std::vector<Token> tokens) {
    TokenForest & forest = lane_->forest;
    const NodeId before = of(above(context)).node.id();
    of(context).node = NodeRef(forest, forest.add_child(before, std::move(tokens), true));
    if (context.again) of(context).node->ever_computed = of(context).node->size();
}

// The last ones are nodes of their own where they are read or replaced one by one.
void StepReader::add(Step & step, const Continuation & continuation) {
    TokenForest & forest = lane_->forest;
    NodeId before = of(above(step)).node.id();
    for (uint32_t i = 0; i < continuation.replaced; ++i) before = forest[before].parent;
    const std::vector<Token> & tokens = continuation.tokens;
    const auto together = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(tokens.size()) - split_off_);
    NodeRef last(forest, forest.add_child(before, {tokens.begin(), tokens.begin() + together}));
    if (step.verified_again) last->ever_computed = last->size();
    for (auto token = tokens.begin() + together; token != tokens.end(); ++token) {
        last = NodeRef(forest, forest.add_child(last.id(), {*token}));
        if (step.verified_again) last->ever_computed = 1;
    }
    of(step).node = std::move(last);
}

void StepReader::pass(Step & step) {
    of(step).value = reading_.reads_last_row() ? 1.0 : 0.0;  // a sum of none
    --of(*step.parent).unread_children;
}

void StepReader::begin(const std::shared_ptr<Step> & step, bool again) {
    TokenForest & forest = lane_->forest;
    const NodeRef & own = of(*step).node;
    if (again) forest.park_below(reading_.before_last ? own->parent : own.id());  // for its rows
    auto job = std::make_unique<Job>();
    job->step = step;
    job->age = lane_->next_age();
    if (!probe_.empty()) {
        job->read = NodeRef(forest, forest.add_child(own.id(), probe_));
        own->forks = true;  // the probe is forgotten
    } else if (reading_.before_last && own->parent != of(above(*step)).node.id()) {
        job->read = NodeRef::another(forest, own->parent);
    }
    Node & node = *node_of(*job);
    if (reading_.before_last && !job->read) {
        job->before_unread = true;
    } else if (reading_.reads_last_row()) {
        node.want_last = true;
        job->upto = node.size();
    } else {
        node.want_inner = true;
        job->upto = node.size() - 1;
        job->before_unread = true;
    }
    of(*step).under_way = true;
    job->tokens = static_cast<uint32_t>(std::max(0, node.start + static_cast<Pos>(job->upto) - node_above(*job).end()));
    pending_tokens_ += job->tokens;
    by_node_[node_of(*job).id()] = job.get();
    jobs_.push_back(std::move(job));
}

void StepReader::drop(const Step & step) {
    for (const auto & job : jobs_) {
        if (job->step.get() == &step) end(*job, ErrorCode::none);
    }
    drop_done();
}

StepReader::Owing::Owing(const StepReader & reader) : reader_(reader) {
    for (const auto & job : reader.jobs_) {
        Search & search = *job->step->search;
        if (search.account->flops_budget < 0) continue;
        add(search, reader.target_of(*job), reader.target_upto(*job));
        // A sum's first token is read after the parent, which may lack its last token only.
        if (job->before_unread && reader.node_above(*job).kept_row.empty()) {
            add(search, reader.of(above(*job->step)).node);
        }
    }
}

void StepReader::Owing::add(Search & search, NodeId id, uint32_t upto) {
    const TokenForest & forest = reader_.lane_->forest;
    while (id != no_node && forest[id].computed < upto) {
        const auto [node, first_time] = counted_.try_emplace(id, forest[id].computed);
        search.account->committed.*reader_.books_.decoded += upto - std::min(upto, node->second);
        node->second = std::max(node->second, upto);
        if (!first_time) return;
        id = forest.owing_above(id);
        if (id != no_node) upto = forest[id].size();
    }
}

// A sum's first token is read from the row after the parent.
NodeId StepReader::target_of(const Job & job) const {
    return job.upto > 0 ? node_of(job).id() : of(above(*job.step)).node.id();
}

uint32_t StepReader::target_upto(const Job & job) const { return job.upto > 0 ? job.upto : node_above(job).size(); }

void StepReader::plan() {
    // After a failed batch its members run before all others, each alone until it has all that it owes.
    const Job * alone = nullptr;
    for (const auto & job : jobs_) {
        if (job->suspect && (alone == nullptr || job->age < alone->age)) alone = job.get();
    }
    lane_->oldest_first(jobs_);
    plan(lane_->owed(target_of(alone != nullptr ? *alone : *jobs_.front())), alone);
    if (lane_->batch().rows.empty() && lane_->batch_is_long()) plan(0, alone);
}

void StepReader::plan(uint32_t owed, const Job * alone) {
    TokenForest & forest = lane_->forest;
    lane_->begin(pending_tokens_, owed);
    for (const auto & job : jobs_) {
        job->planned = false;
        if (job->done || (alone != nullptr && job.get() != alone)) continue;
        const Step & before = above(*job->step);
        const NodeId parent = of(before).node.id();
        forest[parent].forks = more_below(before, 1);
        if (job->before_unread && forest[parent].kept_row.empty()) {
            forest[parent].want_last = true;
            // Computed, but nobody kept the logits: the path is computed again.
            const bool lost = forest[parent].computed == forest[parent].size();
            if (lost && !forest.park_below(parent)) continue;
            // Likewise where another job's path has carried the state past there.
            const NodeId node = node_of(*job).id();
            const bool passed = forest.forks_at_ends() && forest[node].computed > 0;
            if (passed && !forest.park_below(node)) continue;
        }
        const NodeId target = target_of(*job);
        const uint32_t upto = target_upto(*job);
        Search & search = *job->step->search;
        Account::Decoded owes;
        owes.*books_.decoded = lane_->owed_beyond_batch(target, upto);
        if (!search.account->affords(owes)) {  // it stays unscored
            search.out_of_flops = true;
            end(*job, ErrorCode::none);
            continue;
        }
        const size_t rows_before = lane_->batch().rows.size();
        forest.plan(target, upto, alone != nullptr ? 0 : job->age, lane_->batch());
        const size_t rows = lane_->batch().rows.size() - rows_before;
        job->planned = rows > 0;
        search.account->committed.*books_.decoded += static_cast<int64_t>(rows);
    }
}

StepReader::Turn StepReader::turn() {
    read_kept_rows();
    drop_done();
    if (jobs_.empty()) return {};
    plan();
    const auto rows = static_cast<int64_t>(lane_->batch().rows.size());
    if (rows == 0) {
        drop_done();
        return {};
    }
    ask();
    const DecodeStatus status = lane_->decode();
    for (const auto & job : jobs_) {
        if (!job->planned) continue;
        if (status == DecodeStatus::ok) {
            const Node & target = lane_->forest[target_of(*job)];
            if (!job->suspect || target.computed < target_upto(*job)) continue;
            job->suspect = false;
            lane_->forest.settle(target_of(*job));  // it ran as the oldest of all, and the next suspect needs room
        } else if (status != DecodeStatus::aborted) {
            if (job->suspect) end(*job, ErrorCode::decode_failed);
            job->suspect = true;
        }
    }
    if (status == DecodeStatus::ok) read_answers();
    std::stable_partition(jobs_.begin(), jobs_.end(), [](const auto & job) { return !job->planned; });
    drop_done();
    pending_tokens_ = 0;
    for (const auto & job : jobs_) pending_tokens_ += job->tokens;
    return {1, status == DecodeStatus::ok ? rows : 0};
}

void StepReader::ask() {
    asked_.clear();
    const auto ask = [&](Job & job, uint32_t token, int32_t row) {
        asked_.push_back({&job, token});
        std::vector<Ask> & asks = lane_->asks();
        switch (reading_.kind) {
            case Reading::Kind::likelihood:
            case Reading::Kind::ratio: return asks.push_back({row, LogProbability{of(*job.step).node->tokens[token]}});
            case Reading::Kind::pair:
                return asks.push_back({row, PairProbability{reading_.positive, reading_.negative}});
            case Reading::Kind::head: return asks.push_back({row, Reward{reading_.head.get()}});
        }
    };
    for (const auto & job : jobs_) {
        if (job->done || !job->before_unread) continue;
        const int32_t row = node_above(*job).row;
        if (row >= 0) ask(*job, 0, row);
    }
    const Batch & batch = lane_->batch();
    for (size_t i = 0; i < batch.outputs.size(); ++i) {
        const auto found = by_node_.find(batch.outputs[i].node);
        if (found == by_node_.end()) continue;
        Job & job = *found->second;
        if (reading_.reads_last_row() && job.before_unread) continue;  // it is another's row
        const auto row = static_cast<int32_t>(i);
        const uint32_t next = batch.outputs[i].index + 1;
        if (reading_.reads_last_row()) {
            ask(job, 0, row);
        } else if (next < of(*job.step).node->size()) {
            ask(job, next, row);
        }
    }
}

void StepReader::read_answers() {
    const std::span<const Answer> answers = lane_->answers();
    for (size_t i = 0; i < asked_.size(); ++i) read(*asked_[i].job, asked_[i].token, answers[i].value);
    if (reading_.reads_last_row()) return;
    for (const auto & [job, token] : asked_) {
        if (token == 0) keep_if_wanted(above(*job->step));
    }
}

void StepReader::read_kept_rows() {
    if (reading_.reads_last_row()) return;
    for (const auto & job : jobs_) {
        if (job->done || !job->before_unread) continue;
        const Step & before = above(*job->step);
        const float * row = lane_->row_after(of(before).node.id());
        if (row == nullptr) continue;
        const std::span<const float> logits(row, static_cast<size_t>(lane_->model->n_vocab()));
        read(*job, 0, log_probability(logits, of(*job->step).node->tokens.front()));
        keep_if_wanted(before);
    }
}

void StepReader::read(Job & job, uint32_t token, float value) {
    if (reading_.reads_last_row()) return finish(job, static_cast<double>(value));
    if (token == 0) {
        job.before_unread = false;
    } else if (token == job.next) {
        ++job.next;
    } else {
        return;  // a parked node's rows come a second time
    }
    job.sum += static_cast<double>(value);
    const bool whole = !job.before_unread && job.next == of(*job.step).node->size();
    if (whole) finish(job, job.sum);
}

void StepReader::keep_if_wanted(const Step & step) {
    if (more_below(step, 0)) lane_->keep_row(of(step).node.id());
}

// Whether more steps below this one than so many may still come to be read.
bool StepReader::more_below(const Step & step, int32_t than) const {
    const bool root_of_many = !step.parent && step.search->conditioned;
    return step.cursors > 0 || step.writing > 0 || of(step).unread_children > than || root_of_many;
}

void StepReader::finish(Job & job, double value) {
    if (job.done) return;
    if (std::isnan(value)) return end(job, ErrorCode::bad_logits);
    Step & step = *job.step;
    of(step).value = value;
    --of(*step.parent).unread_children;
    if (!more_below(above(step), 0)) node_above(job).kept_row = {};
    end(job, ErrorCode::none);
}

void StepReader::end(Job & job, ErrorCode error) {
    if (job.done) return;
    of(*job.step).under_way = false;
    if (error != ErrorCode::none) job.step->score_error = error;
    const NodeRef & node = node_of(job);
    node->want_inner = false;
    node->want_last = false;
    lane_->forest.settle(node.id());
    by_node_.erase(node.id());
    job.done = true;
}

void StepReader::drop_done() {
    std::erase_if(jobs_, [](const auto & job) { return job->done; });
}

}  // namespace thinktree
