#include "scheduler/verifier.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "backend/vocabulary.h"
#include "sampling/sampler.h"
#include "scheduler/continuation.h"

namespace thinktree {

namespace {

// Scoring waits for this many tokens, but no longer than this many turns of the generator: beside 64 branches on a CPU,
// batches of 256 rows cost a fifth less a row than those of 32.
constexpr uint32_t worthwhile_tokens = 256;
constexpr int32_t longest_wait = 16;

// The step after whose tokens these come in the verifier's tree.
Step & above(const Step & step) { return *step.parent->verifier_place; }

// Whether a solution begins with it: the steps before it have no tokens.
bool is_first(const Step & step) {
    const Step * at = step.parent.get();
    while (!at->given && at->verifier_place != at) at = at->parent.get();
    return at->given;
}

}  // namespace

Verifier::Verifier(std::unique_ptr<Lane> lane, Reading reading, const Model & generator)
    : lane_(std::move(lane)),
      reading_(std::move(reading)),
      generator_(generator),
      own_tokens_(reading_.words == Reading::Words::own && same_vocabulary(*lane_->model, generator)),
      split_off_(reading_.before_last ? 1 : static_cast<int>(reading_.replaceable())),
      probe_(lane_->model->tokenize(template_text(reading_.probe), false)) {}

void Verifier::open(Step & root, const Text & prompt) {
    std::vector<Token> tokens = lane_->model->tokenize(prompt, true);
    if (tokens.empty()) throw Error(ErrorCode::empty_prompt, "the verifier's prompt is empty");
    if (static_cast<int64_t>(tokens.size()) >= lane_->context->limits().positions) {
        throw Error(ErrorCode::context_exceeded, "the question does not fit the verifier's context");
    }
    TokenForest & forest = lane_->forest;
    root.verifier_node = NodeRef(forest, forest.add_root(std::move(tokens), root.search->verifier_usage));
}

void Verifier::score(const std::shared_ptr<Step> & step) {
    std::vector<std::shared_ptr<Step>> path;
    for (std::shared_ptr<Step> at = step; at->parent; at = at->parent) {
        if (at->given && at->verifier_place != at.get()) break;  // the root's, or what is above is begun already
        if (at->given ? !at->verifier_node : !at->score && !at->scoring) path.push_back(at);
    }
    for (size_t i = path.size(); i-- > 0;) path[i]->given ? begin_context(*path[i]) : begin(path[i]);
}

void Verifier::condition(Step & context) {
    context.search->conditioned = true;
    if (context.search->verifier_sees_context) return;  // its tokens are wanted once something below is scored
    Step * root = &context;
    while (root->parent) root = root->parent.get();
    context.verifier_place = root;
}

void Verifier::begin_context(Step & context) {
    context.score_error = ErrorCode::none;
    const Step & before = above(context);
    if (!before.verifier_node) {
        context.score_error = before.score_error;
        return;
    }
    std::vector<Token> tokens = lane_->model->tokenize(template_text(context.text), false);
    if (tokens.empty()) {
        context.verifier_place = context.parent->verifier_place;
    } else if (before.verifier_node->end() + static_cast<int64_t>(tokens.size()) > lane_->context->limits().positions) {
        context.score_error = ErrorCode::context_exceeded;
    } else {
        TokenForest & forest = lane_->forest;
        context.verifier_node = NodeRef(forest, forest.add_child(before.verifier_node.id(), std::move(tokens), true));
    }
}

Continuation Verifier::tokens_of(const Step & step) const {
    const Reading::Frame & frame = is_first(step) ? reading_.first : reading_.next;
    if (!own_tokens_) {
        const TokenForest & forest = lane_->forest;
        const NodeId end = above(step).verifier_node.id();
        uint32_t replaceable = 0;
        for (NodeId id = end; replaceable < reading_.replaceable(); id = forest[id].parent, ++replaceable) {
            if (forest[id].given || forest[id].size() > 1) break;
        }
        return reading_.tokens(*lane_->model, step.text, frame, letters_before(forest, end, *lane_->model),
                               replaceable);
    }
    std::vector<Token> tokens = step.tokens();
    const std::vector<Token> after = lane_->model->tokenize(template_text(frame.after), false);
    tokens.insert(tokens.end(), after.begin(), after.end());
    return {std::move(tokens)};
}

// The last ones are nodes of their own where they are read or replaced one by one.
NodeRef Verifier::add_nodes(NodeId above, const std::vector<Token> & tokens) {
    TokenForest & forest = lane_->forest;
    const auto together = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(tokens.size()) - split_off_);
    NodeRef last(forest, forest.add_child(above, {tokens.begin(), tokens.begin() + together}));
    for (auto token = tokens.begin() + together; token != tokens.end(); ++token) {
        last = NodeRef(forest, forest.add_child(last.id(), {*token}));
    }
    return last;
}

void Verifier::begin(const std::shared_ptr<Step> & step) {
    step->score_error = ErrorCode::none;
    TokenForest & forest = lane_->forest;
    if (step->verifier_node) {
        // A second attempt: its rows have to come again.
        forest.park_below(reading_.before_last ? step->verifier_node->parent : step->verifier_node.id());
    } else {
        Step & before = above(*step);
        if (!before.verifier_node) {  // its own scoring failed, and so does ours
            step->score_error = before.score_error;
            return;
        }
        const auto [tokens, replaced] = tokens_of(*step);
        if (tokens.empty()) {  // no text, nothing to doubt; nodes of the forest are never empty
            step->score = 1.0;
            step->verifier_place = &before;  // a context may follow
            --step->parent->unscored_children;
            return;
        }
        const auto room = lane_->context->limits().positions - before.verifier_node->end();
        if (static_cast<int64_t>(tokens.size() + probe_.size()) > room) {
            step->score_error = ErrorCode::context_exceeded;
            return;
        }
        NodeId end = before.verifier_node.id();
        for (uint32_t i = 0; i < replaced; ++i) end = forest[end].parent;
        step->verifier_node = add_nodes(end, tokens);
    }
    auto job = std::make_unique<Job>();
    job->step = step;
    job->age = lane_->next_age();
    if (!probe_.empty()) {
        job->read = NodeRef(forest, forest.add_child(step->verifier_node.id(), probe_));
        step->verifier_node->forks = true;  // the probe is forgotten
    } else if (reading_.before_last && step->verifier_node->parent != above(*step).verifier_node.id()) {
        job->read = NodeRef::another(forest, step->verifier_node->parent);
    }
    Node & node = *job->node();
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
    step->scoring = true;
    const Pos begin = above(*step).verifier_node->end();
    job->tokens = static_cast<uint32_t>(std::max(0, node.start + static_cast<Pos>(job->upto) - begin));
    pending_tokens_ += job->tokens;
    by_node_[job->node().id()] = job.get();
    jobs_.push_back(std::move(job));
}

void Verifier::commit(const std::function<void(const ToScore &)> & each_to_score) const {
    std::unordered_map<NodeId, uint32_t> counted;  // up to which token
    const auto add_node = [&](Search & search, NodeId id, uint32_t upto) {
        const TokenForest & forest = lane_->forest;
        while (id != no_node && forest[id].computed < upto) {
            const auto [node, first_time] = counted.try_emplace(id, forest[id].computed);
            search.account->committed.verifier += upto - std::min(upto, node->second);
            node->second = std::max(node->second, upto);
            if (!first_time) return;
            id = forest.owing_above(id);
            if (id != no_node) upto = forest[id].size();
        }
    };
    for (const auto & job : jobs_) {
        Search & search = *job->step->search;
        if (search.account->flops_budget < 0) continue;
        add_node(search, target_of(*job), target_upto(*job));
        // A likelihood's first token is read after the parent, which may lack its last token only.
        const NodeRef & parent = above(*job->step).verifier_node;
        if (job->before_unread && parent->kept_row.empty()) add_node(search, parent.id(), parent->size());
    }
    std::unordered_set<const Step *> steps;
    each_to_score([&](const Step & step, const std::string & text, uint32_t tokens) {
        Search & search = *step.search;
        if (search.account->flops_budget < 0) return;
        search.account->committed.verifier += tokens_to_score(text, tokens);
        const Step * at = step.verifier_place;
        for (; !at->verifier_node && steps.insert(at).second; at = at->parent->verifier_place) {
            if (at->given) {
                const auto words = lane_->model->tokenize(template_text(at->text), false);
                search.account->committed.verifier += static_cast<int64_t>(words.size());
            } else {
                const auto tokens_above = static_cast<uint32_t>(at->n_tokens());
                search.account->committed.verifier += tokens_to_score(at->text, tokens_above);
            }
        }
        if (at->verifier_node) add_node(search, at->verifier_node.id(), at->verifier_node->size());
    });
}

int64_t Verifier::tokens_to_score(const std::string & text, uint32_t tokens) const {
    const auto all = [&](const Reading::Frame & frame) {
        if (!own_tokens_) {
            return reading_.tokens(*lane_->model, text, frame, {}, 0).tokens.size();
        }
        return tokens + lane_->model->tokenize(template_text(frame.after), false).size();
    };
    return static_cast<int64_t>(std::max(all(reading_.first), all(reading_.next)) + probe_.size());
}

void Verifier::drop(const Search & search) {
    for (const auto & job : jobs_) {
        if (job->step->search == &search) end(*job, ErrorCode::none);
    }
    std::erase_if(jobs_, [](const auto & job) { return job->done; });
}

bool Verifier::worth_a_turn(bool generator_busy) {
    if (!has_work()) return false;
    return !generator_busy || pending_tokens_ >= worthwhile_tokens || ++turns_waited_ > longest_wait;
}

// A likelihood's first token is read from the row after the parent.
NodeId Verifier::target_of(const Job & job) const {
    return job.upto > 0 ? job.node().id() : above(*job.step).verifier_node.id();
}

uint32_t Verifier::target_upto(const Job & job) const {
    return job.upto > 0 ? job.upto : above(*job.step).verifier_node->size();
}

void Verifier::plan() {
    // After a failed batch its members run before all others, each alone until it has all that it owes.
    const Job * alone = nullptr;
    for (const auto & job : jobs_) {
        if (job->suspect && (alone == nullptr || job->age < alone->age)) alone = job.get();
    }
    lane_->oldest_first(jobs_);
    plan(lane_->owed(target_of(alone != nullptr ? *alone : *jobs_.front())), alone);
    if (lane_->batch().rows.empty() && lane_->batch_is_long()) plan(0, alone);
}

void Verifier::plan(uint32_t owed, const Job * alone) {
    TokenForest & forest = lane_->forest;
    lane_->begin(pending_tokens_, owed);
    for (const auto & job : jobs_) {
        job->planned = false;
        if (job->done || (alone != nullptr && job.get() != alone)) continue;
        const NodeId parent = above(*job->step).verifier_node.id();
        forest[parent].forks = more_below(above(*job->step), 1);
        if (job->before_unread && forest[parent].kept_row.empty()) {
            forest[parent].want_last = true;
            // Computed, but nobody kept the logits: the path is computed again.
            const bool lost = forest[parent].computed == forest[parent].size();
            if (lost && !forest.park_below(parent)) continue;
        }
        const NodeId target = target_of(*job);
        const uint32_t upto = target_upto(*job);
        Search & search = *job->step->search;
        if (!search.affords(0, lane_->owed_beyond_batch(target, upto))) {  // it stays unscored
            search.out_of_flops = true;
            end(*job, ErrorCode::none);
            continue;
        }
        const size_t before = lane_->batch().rows.size();
        forest.plan(target, upto, alone != nullptr ? 0 : job->age, lane_->batch());
        const size_t rows = lane_->batch().rows.size() - before;
        job->planned = rows > 0;
        search.account->committed.verifier += static_cast<int64_t>(rows);
    }
}

void Verifier::turn(EngineStats & stats) {
    turns_waited_ = 0;
    read_kept_rows();
    std::erase_if(jobs_, [](const auto & job) { return job->done; });
    if (jobs_.empty()) return;
    const auto begun = Clock::now();
    plan();
    if (lane_->batch().rows.empty()) {
        std::erase_if(jobs_, [](const auto & job) { return job->done; });
        return;
    }
    ask();
    const size_t rows = lane_->batch().rows.size();
    const DecodeStatus status = lane_->decode();
    ++stats.verifier_decodes;
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
    if (status == DecodeStatus::ok) {
        stats.verifier_tokens += static_cast<int64_t>(rows);
        read_answers();
    }
    std::stable_partition(jobs_.begin(), jobs_.end(), [](const auto & job) { return !job->planned; });
    std::erase_if(jobs_, [](const auto & job) { return job->done; });
    pending_tokens_ = 0;
    for (const auto & job : jobs_) pending_tokens_ += job->tokens;
    stats.verify_ms += milliseconds(Clock::now() - begun);
}

void Verifier::ask() {
    asked_.clear();
    const auto ask = [&](Job & job, uint32_t token, int32_t row) {
        asked_.push_back({&job, token});
        std::vector<Ask> & asks = lane_->asks();
        switch (reading_.kind) {
            case Reading::Kind::likelihood:
                return asks.push_back({row, LogProbability{job.step->verifier_node->tokens[token]}});
            case Reading::Kind::pair:
                return asks.push_back({row, PairProbability{reading_.positive, reading_.negative}});
            case Reading::Kind::head: return asks.push_back({row, Reward{reading_.head.get()}});
        }
    };
    for (const auto & job : jobs_) {
        if (job->done || !job->before_unread) continue;
        const int32_t row = above(*job->step).verifier_node->row;
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
        } else if (next < job.step->verifier_node->size()) {
            ask(job, next, row);
        }
    }
}

void Verifier::read_answers() {
    const std::span<const Answer> answers = lane_->answers();
    for (size_t i = 0; i < asked_.size(); ++i) read(*asked_[i].job, asked_[i].token, answers[i].value);
    if (reading_.reads_last_row()) return;
    for (const auto & [job, token] : asked_) {
        if (token == 0) keep_if_wanted(above(*job->step));
    }
}

void Verifier::read_kept_rows() {
    if (reading_.reads_last_row()) return;
    for (const auto & job : jobs_) {
        if (job->done || !job->before_unread) continue;
        Step & before = above(*job->step);
        const float * row = lane_->row_after(before.verifier_node.id());
        if (row == nullptr) continue;
        const std::span<const float> logits(row, static_cast<size_t>(lane_->model->n_vocab()));
        read(*job, 0, log_probability(logits, job->step->verifier_node->tokens.front()));
        keep_if_wanted(before);
    }
}

void Verifier::read(Job & job, uint32_t token, float value) {
    if (reading_.reads_last_row()) return finish(job, static_cast<double>(value));
    if (token == 0) {
        job.before_unread = false;
    } else if (token == job.next) {
        ++job.next;
    } else {
        return;  // a parked node's rows come a second time
    }
    job.log_probability += static_cast<double>(value);
    const bool whole = !job.before_unread && job.next == job.step->verifier_node->size();
    if (whole) finish(job, std::exp(job.log_probability));
}

void Verifier::keep_if_wanted(Step & step) {
    if (more_below(step, 0)) lane_->keep_row(step.verifier_node.id());
}

// Whether more steps below this one than so many may still come to be scored.
bool Verifier::more_below(const Step & step, int32_t than) {
    const bool root_of_many = !step.parent && step.search->conditioned;
    return step.cursors > 0 || step.writing > 0 || step.unscored_children > than || root_of_many;
}

void Verifier::finish(Job & job, double score) {
    if (job.done) return;
    if (!std::isfinite(score)) return end(job, ErrorCode::bad_logits);
    Step & step = *job.step;
    step.score = score;
    --step.parent->unscored_children;
    if (!more_below(above(step), 0)) above(step).verifier_node->kept_row = {};
    end(job, ErrorCode::none);
}

void Verifier::end(Job & job, ErrorCode error) {
    if (job.done) return;
    Step & step = *job.step;
    step.scoring = false;
    step.score_error = error;
    job.node()->want_inner = false;
    job.node()->want_last = false;
    lane_->forest.settle(job.node().id());
    by_node_.erase(job.node().id());
    job.done = true;
}

}  // namespace thinktree
