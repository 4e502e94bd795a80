// Owns: the one thread that owns every context, the queue into it, and the life of searches, branches and requests.
// Must not know: JavaScript, how a branch is extended or a step scored.
//
//   any thread ── submit(commands) ──> queue ──> scheduler thread: drain → expire → generate → verify or judge → report
//                                                                                                └─> events.completed
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "scheduler/generator.h"
#include "scheduler/hidden_states.h"
#include "scheduler/verifier.h"

namespace thinktree {

// Made on the scheduler thread, since loading takes as long as reading the files.
struct Lanes {
    std::unique_ptr<Lane> generator;
    std::unique_ptr<Lane> verifier;   // null: nothing can be scored
    std::unique_ptr<Lane> reference;  // null: the verifier needs none
    Reading reading;
    std::unique_ptr<Lane> judge;             // in the verifier's place, a model that is asked and writes; null: none
    std::shared_ptr<const RewardHead> head;  // in the verifier's place, of the generator's own states; null: none
    std::unique_ptr<Lane> draft;             // null: no draft model
    DraftOptions drafting = {};
};

class Scheduler {
public:
    // Called on the scheduler thread.
    struct Events {
        std::function<void()> loaded;
        std::function<void(const Error &)> load_failed;
        // At most once a turn.
        std::function<void(std::vector<Completion>)> completed;
    };
    // `load` is given the callback that contexts poll during a decode.
    using Load = std::function<Lanes(std::function<bool()> should_abort)>;

    // `restorable`: completions tell what a successor needs to go on where this one may end, the ledgers of their
    // searches.
    Scheduler(Load load, Events events, bool restorable = false);
    // Ends the running decode, fails what is open with `engine_closed`, joins the thread. Call from another thread.
    ~Scheduler();

    void submit(std::vector<Command> commands);
    EngineStats stats() const;

private:
    struct ScoreRequest {
        RequestId request;
        std::shared_ptr<Step> step;
    };

    void run(const Load & load);
    void refuse_all(const Error & error);
    bool drain();
    void report();
    bool should_abort() const;

    void apply(OpenSearch & command);
    void apply(const Fork & command);
    void apply(const Condition & command);
    void apply(const Write & command);
    void apply(Restore & command);
    void apply(const Extend & command);
    void apply(const Score & command);
    void apply(const ReadPair & command);
    void apply(const Release & command);
    void apply(const HiddenState & command);
    void apply(const Stop & command);
    void apply(const ReadLedger & command);
    void apply(const CloseSearch & command);

    Generator & writer_of(const Search & search) { return search.judged ? *judge_ : *generator_; }
    void judge_turn();
    bool can_score() const { return verifier_ || generator_->states() != nullptr; }
    void score(const std::shared_ptr<Step> & step);
    void drop_scoring(const Search & search);
    bool has_work() const;
    void tell_ledgers();
    void expire();
    void commit(bool to_scoring);
    std::shared_ptr<Account> account_of(const OpenSearch & command);
    Branch & add_branch(BranchId id, Branch & parent, std::shared_ptr<Step> step);
    void answer_scores(bool even_if_unscored, const Search * of);
    void close(Search & search, ErrorCode error, const std::string & message);
    void close_all(ErrorCode error, const std::string & message);
    Branch & require(BranchId branch);
    Ledger ledger(const Search & search) const;
    void fail(RequestId request, ErrorCode error, const std::string & message);
    // Answers a command that will not be carried out, if it wants an answer.
    void refuse(const Command & command, ErrorCode error, const std::string & message);

    const Events events_;
    const bool restorable_;
    std::unique_ptr<Generator> generator_;
    std::unique_ptr<HiddenStates> hidden_states_;  // on the generator's lane
    std::unique_ptr<Verifier> verifier_;
    std::unique_ptr<Generator> judge_;
    // Steps die before the forests that hold their tokens, and searches after their steps.
    std::unordered_map<SearchId, std::unique_ptr<Search>> searches_;
    std::unordered_map<BranchId, std::unique_ptr<Branch>> branches_;
    std::unordered_map<AccountId, std::weak_ptr<Account>> accounts_;  // those that searches share
    std::vector<ScoreRequest> score_requests_;
    std::vector<Completion> completions_;
    EngineStats running_stats_;

    mutable std::mutex mutex_;  // guards the queue and the published statistics
    std::condition_variable wake_;
    std::vector<Command> queue_;
    EngineStats published_stats_;
    std::atomic<bool> closing_{false};
    // A decode is not worth finishing when the only open search has been stopped or closed meanwhile.
    std::atomic<int> open_searches_{0};
    std::atomic<bool> interrupt_{false};
    // Nor when every open search's deadline has passed. In ticks of Clock.
    static constexpr Clock::rep no_deadline = std::numeric_limits<Clock::rep>::max();
    std::atomic<Clock::rep> last_deadline_{no_deadline};
    mutable std::atomic<int64_t> progress_{0};

    std::thread thread_;  // last: it uses all of the above
};

}  // namespace thinktree
