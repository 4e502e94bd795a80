// The scheduler's part for what it is told: what each command does to searches and branches at once, and what it
// leaves for the turn.
#include <algorithm>
#include <utility>

#include "base/counter_rng.h"
#include "scheduler/scheduler.h"

namespace thinktree {

// A deadline in 30 years or more is none: a Clock could not hold it.
constexpr double longest_deadline_ms = 1e12;

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
        std::shared_ptr<Step> root = writer.open(*search, command.prompt, command.again);
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
    Completion completion{};
    completion.request = command.request;
    completions_.push_back(std::move(completion));
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
        context = writer_of(*from.search).condition(from, command.text, command.again);
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
    writer_of(*found->second->search).write(*found->second, command.text, command.last, command.again);
    found->second->step->verified_again = command.scored;
}

void Scheduler::apply(Restore & command) {
    const auto found = branches_.find(command.branch);
    if (found == branches_.end()) return;  // likewise
    Branch & branch = *found->second;
    Generator & writer = writer_of(*branch.search);
    const auto vocabulary = writer.lane().model->n_vocab();
    for (WrittenStep & step : command.steps) {
        const auto unknown = [&](Token token) { return token < 0 || token >= vocabulary; };
        if (step.tokens.empty() || std::any_of(step.tokens.begin(), step.tokens.end(), unknown)) {
            return apply(Release{command.branch});  // of another model; the branch's next use will say that it is gone
        }
        writer.restore(branch, std::move(step));
    }
    branch.finished = command.finished;
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
        if (command.score && !can_score()) throw Error(ErrorCode::no_verifier, "the engine has no verifier");
        writer_of(*branch.search).extend(branch, command);
    } catch (const Error & error) {
        fail(command.request, error.code, error.what());
    }
}

void Scheduler::apply(const Score & command) {
    try {
        const Branch & branch = require(command.branch);
        if (!can_score()) throw Error(ErrorCode::no_verifier, "the engine has no verifier");
        if (!branch.search->out_of_time(Clock::now())) score(branch.step);
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

std::shared_ptr<Account> Scheduler::account_of(const OpenSearch & command) {
    const auto shared = accounts_.find(command.account);
    if (shared != accounts_.end()) return shared->second.lock();
    auto account = std::make_shared<Account>();
    account->token_budget = command.token_budget;
    account->flops_budget = command.flops_budget;
    const auto token_flops = [](const Lane & lane) { return 2.0 * static_cast<double>(lane.model->n_params()); };
    account->generator_token_flops = token_flops(generator_->lane());
    account->verifier_token_flops = verifier_              ? token_flops(verifier_->lane())
                                    : judge_               ? token_flops(judge_->lane())
                                    : generator_->states() ? account->generator_token_flops
                                                           : 0;
    const Lane * reference = verifier_ ? verifier_->reference() : nullptr;
    account->reference_token_flops = reference ? token_flops(*reference) : 0;
    account->draft_token_flops = generator_->drafter() ? token_flops(generator_->drafter()->lane()) : 0;
    return account;
}

}  // namespace thinktree
