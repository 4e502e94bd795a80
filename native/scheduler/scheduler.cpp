#include "scheduler/scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/counter_rng.h"

namespace thinktree {

// A deadline in 30 years or more is none: a Clock could not hold it.
constexpr double longest_deadline_ms = 1e12;

Scheduler::Scheduler(Load load, Events events) : events_(std::move(events)) {
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
    return published_stats_;
}

bool Scheduler::should_abort() const {
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
                              [this](const std::shared_ptr<Step> & step) { verifier_->score(step); },
                              [this](const std::string & text, uint32_t tokens) {
                                  return verifier_ ? verifier_->tokens_to_score(text, tokens) : 0;
                              }});
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
    if (!completions_.empty()) events_.completed(std::exchange(completions_, {}));
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

// ---- commands ----

void Scheduler::apply(OpenSearch & command) {
    if (searches_.contains(command.search) || branches_.contains(command.root)) {
        return fail(command.request, ErrorCode::invalid_option, "the id is in use");
    }
    const auto judged = searches_.find(command.judges);
    if (command.judges != 0 && judged == searches_.end()) {
        return fail(command.request, ErrorCode::cancelled, "the search to judge was closed");
    }
    if (command.judges != 0 && (!judge_ || judged->second->judge || judged->second->judged)) {
        return fail(command.request, ErrorCode::invalid_option, "the search cannot be judged");
    }
    auto search = std::make_unique<Search>();
    search->id = command.search;
    search->rules = std::move(command.rules);
    if (command.judges != 0) search->judged = judged->second.get();
    search->account = search->judged ? search->judged->account : account_of(command);
    search->max_length = command.max_length;
    search->verifier_sees_context = command.verifier_sees_context;
    search->opened = Clock::now();
    if (command.deadline_ms >= 0 && command.deadline_ms < longest_deadline_ms) {
        search->deadline = search->opened + std::chrono::duration_cast<Clock::duration>(
                                                std::chrono::duration<double, std::milli>(command.deadline_ms));
    }
    auto branch = std::make_unique<Branch>();
    branch->id = command.root;
    branch->search = search.get();
    branch->key = fork_key(command.seed, 0);
    try {
        Generator & writer = writer_of(*search);
        std::shared_ptr<Step> root = writer.open(*search, command.prompt);
        if (verifier_) verifier_->open(*root, command.verifier_prompt);
        search->root = root;
        writer.stand(*branch, std::move(root));
    } catch (const Error & error) {
        return fail(command.request, error.code, error.what());
    } catch (const std::exception & error) {  // the tokenizer's
        return fail(command.request, ErrorCode::internal, error.what());
    }
    if (command.account != 0) accounts_[command.account] = search->account;
    branches_[command.root] = std::move(branch);
    if (search->judged) search->judged->judge = search.get();
    open_searches_ += search->judged == nullptr;
    searches_[command.search] = std::move(search);
    completions_.push_back(Completion{command.request, ErrorCode::none, {}, {}, {}, {}, {}, {}});
}

void Scheduler::apply(const Fork & command) {
    const auto parent = branches_.find(command.parent);
    if (parent == branches_.end()) return;  // its search was closed; the new branches' first use will say so
    Branch & from = *parent->second;
    for (uint32_t i = 0; i < command.count; ++i) {
        Branch & child = add_branch(command.first + i, from, from.step);
        child.finished = from.finished;
        writer_of(*from.search).fork(from, child);
    }
}

void Scheduler::apply(const Condition & command) {
    const auto parent = branches_.find(command.parent);
    if (parent == branches_.end()) return;  // likewise
    Branch & from = *parent->second;
    std::shared_ptr<Step> context;
    try {
        context = writer_of(*from.search).condition(from, command.text);
    } catch (const std::exception &) {  // the tokenizer's; the new branch's first use will say that there is none
        return;
    }
    if (verifier_) verifier_->condition(*context);
    const std::string words = context->text;
    Branch & branch = add_branch(command.branch, from, std::move(context));
    if (!from.search->judged) return;
    // A judge is asked when steps happen to end: what it writes is to depend on what it is asked, and not on when.
    branch.key = from.key;
    for (const char letter : words) branch.key = fork_key(branch.key, static_cast<unsigned char>(letter));
}

void Scheduler::apply(const Write & command) {
    const auto found = branches_.find(command.branch);
    if (found == branches_.end()) return;  // likewise
    writer_of(*found->second->search).write(*found->second, command.text, command.last);
}

Branch & Scheduler::add_branch(BranchId id, Branch & parent, std::shared_ptr<Step> step) {
    auto branch = std::make_unique<Branch>();
    branch->id = id;
    branch->search = parent.search;
    branch->key = fork_key(parent.key, parent.forks++);
    writer_of(*branch->search).stand(*branch, std::move(step));
    return *(branches_[id] = std::move(branch));
}

Branch & Scheduler::require(BranchId id) {
    const auto found = branches_.find(id);
    if (found == branches_.end()) throw Error(ErrorCode::unknown_branch, "the branch was released");
    return *found->second;
}

void Scheduler::apply(const Extend & command) {
    try {
        Branch & branch = require(command.branch);
        if (branch.extending) throw Error(ErrorCode::invalid_option, "the branch is being extended already");
        if (command.steps == 0) throw Error(ErrorCode::invalid_option, "steps must be at least 1");
        if (command.score && !verifier_) throw Error(ErrorCode::no_verifier, "the engine has no verifier");
        writer_of(*branch.search).extend(branch, command);
    } catch (const Error & error) {
        fail(command.request, error.code, error.what());
    }
}

void Scheduler::apply(const Score & command) {
    try {
        const Branch & branch = require(command.branch);
        if (!verifier_) throw Error(ErrorCode::no_verifier, "the engine has no verifier");
        if (!branch.search->out_of_time(Clock::now())) verifier_->score(branch.step);
        score_requests_.push_back({command.request, branch.step});
    } catch (const Error & error) {
        fail(command.request, error.code, error.what());
    }
}

void Scheduler::apply(const ReadPair & command) {
    try {
        Branch & branch = require(command.branch);
        if (branch.extending) throw Error(ErrorCode::invalid_option, "the branch is being extended");
        Generator & writer = writer_of(*branch.search);
        const Model & model = *writer.lane().model;
        writer.read(branch, command.request,
                    {single_token(model, command.positive), single_token(model, command.negative)});
    } catch (const Error & error) {
        fail(command.request, error.code, error.what());
    }
}

void Scheduler::apply(const Release & command) {
    const auto found = branches_.find(command.branch);
    if (found == branches_.end()) return;
    Branch & branch = *found->second;
    Generator & writer = writer_of(*branch.search);
    writer.fail(ErrorCode::unknown_branch, "the branch was released while it was being extended",
                [&](const Branch & b) { return &b == &branch; });
    writer.stand(branch, nullptr);
    branches_.erase(found);
}

void Scheduler::apply(const HiddenState & command) {
    const auto found = searches_.find(command.search);
    if (found == searches_.end()) return fail(command.request, ErrorCode::cancelled, "the search was closed");
    if (found->second->judged) return fail(command.request, ErrorCode::invalid_option, "a judge has no hidden state");
    std::shared_ptr<Step> root = found->second->root.lock();
    if (!root) return fail(command.request, ErrorCode::unknown_branch, "every branch of the search was released");
    hidden_states_->read(command.request, std::move(root));
}

void Scheduler::apply(const Stop & command) {
    const auto found = searches_.find(command.search);
    if (found != searches_.end()) found->second->deadline = Clock::now();
}

void Scheduler::apply(const ReadLedger & command) {
    const auto found = searches_.find(command.search);
    if (found == searches_.end()) return fail(command.request, ErrorCode::cancelled, "the search was closed");
    Completion completion{};
    completion.request = command.request;
    completion.ledger = ledger(*found->second);
    completions_.push_back(std::move(completion));
}

void Scheduler::apply(const CloseSearch & command) {
    const auto found = searches_.find(command.search);
    if (found == searches_.end()) return fail(command.request, ErrorCode::cancelled, "the search was closed");
    Completion completion{};
    completion.request = command.request;
    completion.ledger = ledger(*found->second);
    close(*found->second, ErrorCode::cancelled, "the search was closed");
    completions_.push_back(std::move(completion));
}

// ---- the life of a search ----

std::shared_ptr<Account> Scheduler::account_of(const OpenSearch & command) {
    const auto shared = accounts_.find(command.account);
    if (shared != accounts_.end()) return shared->second.lock();
    auto account = std::make_shared<Account>();
    account->token_budget = command.token_budget;
    account->flops_budget = command.flops_budget;
    const auto token_flops = [](const Lane & lane) { return 2.0 * static_cast<double>(lane.model->n_params()); };
    account->generator_token_flops = token_flops(generator_->lane());
    account->verifier_token_flops = verifier_ ? token_flops(verifier_->lane())
                                    : judge_  ? token_flops(judge_->lane())
                                              : 0;
    const Lane * reference = verifier_ ? verifier_->reference() : nullptr;
    account->reference_token_flops = reference ? token_flops(*reference) : 0;
    account->draft_token_flops = generator_->drafter() ? token_flops(generator_->drafter()->lane()) : 0;
    return account;
}

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
        if (verifier_) verifier_->drop(*search);
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
    if (!to_scoring || !verifier_) return;
    verifier_->commit([this](const Verifier::ToScore & visit) { generator_->each_to_score(visit); });
}

void Scheduler::answer_scores(bool even_if_unscored, const Search * of) {
    const auto answered = [&](const ScoreRequest & request) {
        if (of != nullptr && request.step->search != of) return false;
        Completion completion{};
        completion.request = request.request;
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
    if (verifier_) verifier_->drop(search);
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
