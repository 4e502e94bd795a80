#include "scheduler/scheduler.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/counter_rng.h"

namespace thinktree {

Scheduler::Scheduler(Load load, Events events, bool restorable) : events_(std::move(events)), restorable_(restorable) {
    thread_ = std::thread([this, load = std::move(load)] { run(load); });
}

Scheduler::~Scheduler() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Scheduler::submit(std::vector<Command> commands) {
    {
        const std::lock_guard lock(mutex_);
        for (Command & command : commands) {
            if (std::holds_alternative<Stop>(command) || std::holds_alternative<CloseSearch>(command)) {
                if (open_searches_ == 1) interrupt_ = true;
            }
            queue_.push_back(std::move(command));
        }
    }
    wake_.notify_one();
}

EngineStats Scheduler::stats() const {
    const std::lock_guard lock(mutex_);
    EngineStats stats = published_stats_;
    stats.progress = progress_.load(std::memory_order_relaxed);
    return stats;
}

bool Scheduler::should_abort() const {
    progress_.fetch_add(1, std::memory_order_relaxed);
    return closing_ || interrupt_ || Clock::now().time_since_epoch().count() >= last_deadline_;
}

void Scheduler::run(const Load & load) {
    try {
        Lanes lanes = load([this] { return should_abort(); });
        const Model & model = *lanes.generator->model;
        auto drafter = lanes.draft ? std::make_unique<Drafter>(std::move(lanes.draft), lanes.drafting, model) : nullptr;
        generator_ = std::make_unique<Generator>(
            std::move(lanes.generator), std::move(drafter),
            Generator::Events{[this](Completion completion) { completions_.push_back(std::move(completion)); },
                              [this](const std::shared_ptr<Step> & step) { score(step); },
                              [this](const std::string & text, uint32_t tokens) {
                                  return verifier_              ? verifier_->tokens_to_score(text, tokens)
                                         : generator_->states() ? 1  // the step's last
                                                                : 0;
                              }});
        if (lanes.head) generator_->score_states(std::move(lanes.head));
        hidden_states_ = std::make_unique<HiddenStates>(
            generator_->lane(), [this](Completion completion) { completions_.push_back(std::move(completion)); });
        if (lanes.judge) {
            judge_ = std::make_unique<Generator>(
                std::move(lanes.judge), nullptr,
                Generator::Events{[this](Completion completion) { completions_.push_back(std::move(completion)); },
                                  [](const std::shared_ptr<Step> &) {},
                                  [](const std::string &, uint32_t) -> int64_t { return 0; }});
        }
        if (lanes.verifier) {
            verifier_ =
                std::make_unique<Verifier>(std::move(lanes.verifier), std::move(lanes.reference), lanes.reading, model);
        }
    } catch (const Error & error) {
        return refuse_all(error);
    } catch (const std::exception & error) {
        return refuse_all(Error(ErrorCode::model_load_failed, error.what()));
    }
    events_.loaded();

    while (drain()) {
        try {
            expire();
            if (hidden_states_->has_work()) {
                commit(true);
                hidden_states_->turn(running_stats_);
            }
            commit(true);
            generator_->turn(running_stats_);
            if (verifier_ && verifier_->worth_a_turn(generator_->has_work())) {
                commit(false);
                verifier_->turn(running_stats_);
            }
            judge_turn();
            answer_scores(false, nullptr);
        } catch (const std::exception & error) {  // out of memory, or a bug: what is open fails, the engine lives
            close_all(ErrorCode::internal, error.what());
        }
        report();
    }

    close_all(ErrorCode::engine_closed, "the engine was closed");
    {
        const std::lock_guard lock(mutex_);
        for (const Command & command : queue_) refuse(command, ErrorCode::engine_closed, "the engine was closed");
    }
    report();
    verifier_.reset();
    judge_.reset();
    hidden_states_.reset();
    generator_.reset();
}

// Without a model: whatever is asked, until the engine is closed, gets the error of the load.
void Scheduler::refuse_all(const Error & error) {
    events_.load_failed(error);
    std::unique_lock lock(mutex_);
    while (true) {
        for (const Command & command : std::exchange(queue_, {})) refuse(command, error.code, error.what());
        if (!completions_.empty()) {
            lock.unlock();
            events_.completed(std::exchange(completions_, {}));
            lock.lock();
        } else if (closing_) {
            return;
        } else {
            wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
        }
    }
}

// Takes in what has been submitted, waiting if there is nothing to do. False when the engine is closing.
bool Scheduler::drain() {
    progress_.fetch_add(1, std::memory_order_relaxed);
    std::vector<Command> commands;
    {
        std::unique_lock lock(mutex_);
        const auto ready = [&] { return closing_ || !queue_.empty() || has_work(); };
        if (!ready()) {
            const auto begun = Clock::now();
            wake_.wait(lock, ready);
            running_stats_.idle_ms += milliseconds(Clock::now() - begun);
        }
        if (closing_) return false;
        commands.swap(queue_);
        interrupt_ = false;
    }
    for (Command & command : commands) {
        try {
            std::visit([this](auto & c) { apply(c); }, command);
        } catch (const std::exception & error) {  // out of memory, or a bug
            refuse(command, ErrorCode::internal, error.what());
            close_all(ErrorCode::internal, error.what());
        }
    }
    return true;
}

bool Scheduler::has_work() const {
    return generator_->has_work() || hidden_states_->has_work() || (verifier_ && verifier_->has_work()) ||
           (judge_ && judge_->has_work());
}

void Scheduler::report() {
    {
        const std::lock_guard lock(mutex_);
        running_stats_.kv_cells = generator_->lane().forest.cells_used();
        const Lane * scoring = verifier_ ? &verifier_->lane() : judge_ ? &judge_->lane() : nullptr;
        running_stats_.verifier_kv_cells = scoring ? scoring->forest.cells_used() : 0;
        running_stats_.leases = generator_->lane().forest.leases_held() + (scoring ? scoring->forest.leases_held() : 0);
        const Lane * reference = verifier_ ? verifier_->reference() : nullptr;
        if (reference) {
            running_stats_.reference_kv_cells = reference->forest.cells_used();
            running_stats_.leases += reference->forest.leases_held();
        }
        if (const Drafter * drafter = generator_->drafter()) {
            running_stats_.draft_kv_cells = drafter->lane().forest.cells_used();
            running_stats_.leases += drafter->lane().forest.leases_held();
        }
        running_stats_.searches = open_searches_;
        running_stats_.branches = static_cast<int64_t>(branches_.size());
        running_stats_.tree_attention = running_stats_.device_sampling = 0;
        const auto count = [this](const Context & context) {
            running_stats_.tree_attention += context.limits().tree_attention;
            running_stats_.device_sampling += context.reads_on_device();
        };
        count(*generator_->lane().context);
        if (scoring) count(*scoring->context);
        if (reference) count(*reference->context);
        published_stats_ = running_stats_;
    }
    if (restorable_) tell_ledgers();
    if (!completions_.empty()) events_.completed(std::exchange(completions_, {}));
}

// With the last completion of each search, its judge's included.
void Scheduler::tell_ledgers() {
    std::unordered_set<SearchId> told;
    for (size_t i = completions_.size(); i-- > 0;) {
        Completion & completion = completions_[i];
        const auto found = searches_.find(completion.search);
        if (found == searches_.end()) continue;
        const Search & search = found->second->judged ? *found->second->judged : *found->second;
        if (told.insert(search.id).second) completion.ledger = ledger(search);
    }
}

void Scheduler::fail(RequestId request, ErrorCode error, const std::string & message) {
    Completion completion{};
    completion.request = request;
    completion.error = error;
    completion.message = message;
    completions_.push_back(std::move(completion));
}

void Scheduler::refuse(const Command & command, ErrorCode error, const std::string & message) {
    std::visit(
        [&](const auto & c) {
            if constexpr (requires { c.request; }) fail(c.request, error, message);
        },
        command);
}

// ---- the life of a search ----

void Scheduler::expire() {
    const auto now = Clock::now();
    auto last = Clock::time_point::min();
    generator_->expire(now);
    if (judge_) judge_->expire(now);
    hidden_states_->expire(now);
    for (const auto & [id, search] : searches_) {
        if (search->judged) continue;
        last = std::max(last, search->deadline.value_or(Clock::time_point::max()));
        if (!search->out_of_time(now)) continue;
        drop_scoring(*search);
        answer_scores(true, search.get());
    }
    last_deadline_ = searches_.empty() || last <= now ? no_deadline : last.time_since_epoch().count();
}

// Counted as the verifier's work.
void Scheduler::judge_turn() {
    if (!judge_ || !judge_->has_work()) return;
    commit(false);
    EngineStats turn;
    judge_->turn(turn);
    running_stats_.verifier_decodes += turn.decodes;
    running_stats_.verifier_tokens += turn.decoded_tokens;
    running_stats_.verify_ms += turn.prefill_ms + turn.decode_ms + turn.sample_ms + turn.plan_ms;
}

// What is spent of each budget of operations, and what the next decodes must leave of it; `to_scoring`: also for the
// scoring to come.
void Scheduler::commit(bool to_scoring) {
    bool limited = false;
    for (const auto & [id, search] : searches_) {
        Account & account = *search->account;
        account.spent = account.by_closed;
        account.committed = {};
        limited = limited || account.flops_budget >= 0;
    }
    if (!limited) return;
    for (const auto & [id, search] : searches_) search->account->spent += search->decoded();
    if (!to_scoring) return;
    if (verifier_) verifier_->commit([this](const Verifier::ToScore & visit) { generator_->each_to_score(visit); });
    if (StateScores * states = generator_->states()) {
        states->commit();
        generator_->each_to_score([](const Step & above, const std::string &, uint32_t) {
            above.search->account->committed += Account::scoring(1);
        });
    }
}

void Scheduler::score(const std::shared_ptr<Step> & step) {
    if (verifier_) return verifier_->score(step);
    generator_->states()->score(step);
}

void Scheduler::drop_scoring(const Search & search) {
    if (verifier_) verifier_->drop(search);
    if (StateScores * states = generator_->states()) states->drop(search);
}

void Scheduler::answer_scores(bool even_if_unscored, const Search * of) {
    const auto answered = [&](const ScoreRequest & request) {
        if (of != nullptr && request.step->search != of) return false;
        Completion completion{};
        completion.request = request.request;
        completion.search = request.step->search->id;
        for (const Step * step = request.step.get(); !step->given; step = step->parent.get()) {
            if (step->scoring && !even_if_unscored) return false;
            if (!step->score && step->score_error != ErrorCode::none) {
                completion.error = step->score_error;
                completion.message = "a step could not be scored";
            }
            completion.scores.push_back(step->score.value_or(unscored));
        }
        std::reverse(completion.scores.begin(), completion.scores.end());
        completions_.push_back(std::move(completion));
        return true;
    };
    std::erase_if(score_requests_, answered);
}

void Scheduler::close_all(ErrorCode error, const std::string & message) {
    while (!searches_.empty()) close(*searches_.begin()->second, error, message);
}

void Scheduler::close(Search & search, ErrorCode error, const std::string & message) {
    if (search.judge) close(*search.judge, error, message);
    if (search.judged) search.judged->judge = nullptr;
    Generator & writer = writer_of(search);
    writer.fail(error, message, [&](const Branch & branch) { return branch.search == &search; });
    hidden_states_->fail(error, message, search);
    drop_scoring(search);
    std::erase_if(score_requests_, [&](const ScoreRequest & request) {
        if (request.step->search != &search) return false;
        fail(request.request, error, message);
        return true;
    });
    std::erase_if(branches_, [&](const auto & entry) {
        if (entry.second->search != &search) return false;
        writer.stand(*entry.second, nullptr);
        return true;
    });
    open_searches_ -= search.judged == nullptr;
    search.account->by_closed += search.decoded();
    searches_.erase(search.id);
    std::erase_if(accounts_, [](const auto & entry) { return entry.second.expired(); });
}

Ledger Scheduler::ledger(const Search & search) const {
    const TreeUsage & g = search.generator_usage;
    const TreeUsage & v = search.judge ? search.judge->generator_usage : search.verifier_usage;
    const TreeUsage & r = search.reference_usage;
    Ledger ledger;
    ledger.prompt_tokens = g.prompt_decoded;
    ledger.generated_tokens = search.generated;
    ledger.coalesced_tokens = search.coalesced;
    ledger.verifier_prompt_tokens = v.prompt_decoded;
    ledger.verifier_tokens = v.decoded;
    ledger.reference_tokens = r.prompt_decoded + r.decoded;
    ledger.recomputed_tokens = g.recomputed + v.recomputed + r.recomputed;
    ledger.kv_cells_peak = g.cells_peak;
    ledger.verifier_kv_cells_peak = v.cells_peak;
    ledger.tree_tokens_peak = g.live_peak;
    ledger.speculated_tokens = g.drafted + g.begun;
    ledger.speculated_kept = g.adopted + g.begun_kept;
    ledger.draft_tokens = search.draft_usage.all_decoded();
    ledger.milliseconds = milliseconds(Clock::now() - search.opened);
    Account::Decoded decoded = search.decoded();
    if (search.judge) decoded += search.judge->decoded();
    ledger.flops = search.account->flops(decoded);
    return ledger;
}

}  // namespace thinktree
