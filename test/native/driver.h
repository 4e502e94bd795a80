// Drives a Scheduler over fake models as the addon does: submits commands from any thread, collects what completes,
// waits with a time limit. On the way out it closes every search and checks that nothing is held.
#pragma once

#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "backend/fake/fake_backend.h"
#include "harness.h"
#include "scheduler/scheduler.h"

namespace thinktree {

// Ends the process when its scope takes longer than any sound run: for what hangs where nothing can be caught.
class Watchdog {
public:
    explicit Watchdog(const char * what, int seconds = 120)
        : thread_([this, what, seconds] {
              std::unique_lock lock(mutex_);
              if (done_.wait_for(lock, std::chrono::seconds(seconds), [this] { return over_; })) return;
              std::cout << "    watchdog: " << what << " hangs" << std::endl;
              std::_Exit(3);
          }) {}
    ~Watchdog() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        done_.notify_one();
        thread_.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable done_;
    bool over_ = false;
    std::thread thread_;
};

// A fake model that finds other tokens likely.
inline FakeOptions other_opinion(FakeOptions options) {
    options.stray_every = 1;
    return options;
}

class Driver {
public:
    struct Setup {
        FakeOptions generator{};
        bool with_verifier = false;
        FakeOptions verifier{};
        bool with_judge = false;  // which is the verifier's model
        Reading reading{};
        std::shared_ptr<const RewardHead> head{};  // of the generator's own states
        std::optional<FakeOptions> reference{};    // of a ratio; none: as the verifier, but of another opinion
        std::optional<DraftOptions> drafting{};    // none: no draft model
        FakeOptions draft{};
        bool stops_checking = false;  // closes no search on the way out
    };
    struct Opened {
        SearchId search;
        BranchId root;
        RequestId request;
    };

    const std::shared_ptr<FakeProbe> probe, verifier_probe, reference_probe, draft_probe;

    Driver() : Driver(Setup{}) {}
    explicit Driver(const Setup & setup)
        : probe(std::make_shared<FakeProbe>()),
          verifier_probe(std::make_shared<FakeProbe>()),
          reference_probe(std::make_shared<FakeProbe>()),
          draft_probe(std::make_shared<FakeProbe>()),
          setup_(setup) {
        scheduler_ = std::make_unique<Scheduler>(
            [this](const std::function<bool()> & should_abort) {
                const auto lane = [&](const FakeOptions & options, const std::shared_ptr<FakeProbe> & of) {
                    const auto model = make_fake_model(options, of);
                    return std::make_unique<Lane>(model, model->make_context({}, should_abort));
                };
                Lanes lanes;
                lanes.generator = lane(setup_.generator, probe);
                if (setup_.with_verifier) lanes.verifier = lane(setup_.verifier, verifier_probe);
                if (setup_.with_judge) lanes.judge = lane(setup_.verifier, verifier_probe);
                if (setup_.with_verifier && setup_.reading.kind == Reading::Kind::ratio) {
                    lanes.reference = lane(setup_.reference.value_or(other_opinion(setup_.verifier)), reference_probe);
                }
                lanes.reading = setup_.reading;
                lanes.head = setup_.head;
                if (setup_.drafting) lanes.draft = lane(setup_.draft, draft_probe);
                lanes.drafting = setup_.drafting.value_or(DraftOptions{});
                return lanes;
            },
            Scheduler::Events{[] {}, [](const Error & error) { harness::fail(__FILE__, __LINE__, error.what()); },
                              [this](std::vector<Completion> completions) { take(std::move(completions)); }});
    }
    ~Driver() {
        const Watchdog watchdog("closing the engine");
        if (scheduler_ && !setup_.stops_checking) close_all();
        destroy();
    }

    // ---- commands: any thread ----

    RequestId next_request() { return request_++; }
    void submit(std::vector<Command> commands) { scheduler_->submit(std::move(commands)); }

    template <class Change>
    OpenSearch search(const std::string & prompt, uint64_t seed, Change change) {
        OpenSearch command{};
        command.request = next_request();
        command.search = id_++;
        command.root = id_++;
        command.prompt = template_text(prompt);
        command.verifier_prompt = template_text(prompt + "?");
        command.seed = seed;
        change(command);
        const std::lock_guard lock(mutex_);
        open_.insert(command.search);
        return command;
    }
    OpenSearch search(const std::string & prompt, uint64_t seed) {
        return search(prompt, seed, [](OpenSearch &) {});
    }
    // A search whose steps the judge is asked about.
    Opened open_judge(const Opened & judged, const std::string & prompt, uint64_t seed, StopRules rules = {},
                      bool again = false) {
        OpenSearch command{};
        command.request = next_request();
        command.search = id_++;
        command.root = id_++;
        command.judges = judged.search;
        command.again = again;
        command.prompt = template_text(prompt);
        command.seed = seed;
        command.rules = std::move(rules);
        const Opened opened{command.search, command.root, command.request};
        submit({std::move(command)});
        return opened;
    }
    template <class... Change>
    Opened open(const std::string & prompt, uint64_t seed, Change... change) {
        OpenSearch command = search(prompt, seed, change...);
        const Opened opened{command.search, command.root, command.request};
        submit({std::move(command)});
        return opened;
    }
    std::vector<BranchId> fork(BranchId parent, uint32_t count) {
        const BranchId first = id_.fetch_add(count);
        submit({Fork{parent, first, count}});
        std::vector<BranchId> branches;
        for (uint32_t i = 0; i < count; ++i) branches.push_back(first + i);
        return branches;
    }
    BranchId condition(BranchId parent, const std::string & text) {
        const BranchId branch = id_++;
        submit({Condition{parent, branch, template_text(text)}});
        return branch;
    }
    void write(BranchId branch, const std::string & text, bool last = false) { submit({Write{branch, text, last}}); }
    RequestId hidden_state(SearchId search) {
        const RequestId request = next_request();
        submit({HiddenState{request, search}});
        return request;
    }
    RequestId extend(BranchId branch, uint32_t steps = 1, bool score = false, SamplerOptions sampler = {}) {
        const RequestId request = next_request();
        submit({Extend{request, branch, steps, sampler, score}});
        return request;
    }
    // All in one turn, as the addon does it: those that draw alike write alike.
    std::vector<RequestId> extend_together(const std::vector<BranchId> & branches, uint32_t steps = 1,
                                           bool score = false, SamplerOptions sampler = {}, uint32_t ahead = 0) {
        std::vector<RequestId> requests;
        std::vector<Command> commands;
        for (const BranchId branch : branches) {
            requests.push_back(next_request());
            commands.push_back(Extend{requests.back(), branch, steps, sampler, score, ahead});
        }
        submit(std::move(commands));
        return requests;
    }
    RequestId score(BranchId branch) {
        const RequestId request = next_request();
        submit({Score{request, branch}});
        return request;
    }
    RequestId read_pair(BranchId branch, const std::string & positive, const std::string & negative) {
        const RequestId request = next_request();
        submit({ReadPair{request, branch, positive, negative}});
        return request;
    }
    void release(BranchId branch) { submit({Release{branch}}); }
    void stop(SearchId search) { submit({Stop{search}}); }
    RequestId read_ledger(SearchId search) {
        const RequestId request = next_request();
        submit({ReadLedger{request, search}});
        return request;
    }
    RequestId close(SearchId search) {
        {
            const std::lock_guard lock(mutex_);
            open_.erase(search);
        }
        const RequestId request = next_request();
        submit({CloseSearch{request, search}});
        return request;
    }

    // ---- answers ----

    Completion wait(RequestId request, int seconds = 60) {
        std::unique_lock lock(mutex_);
        const bool came =
            arrived_.wait_for(lock, std::chrono::seconds(seconds), [&] { return completions_.contains(request); });
        if (!came) throw std::runtime_error("request " + std::to_string(request) + " was never answered");
        return completions_[request];
    }
    Ledger ledger(SearchId search) { return *wait(read_ledger(search)).ledger; }
    Ledger close_and_wait(SearchId search) { return *wait(close(search)).ledger; }
    EngineStats stats() const { return scheduler_->stats(); }

    void close_all() {
        std::vector<RequestId> requests;
        for (const SearchId search : std::exchange(open_, {})) requests.push_back(close(search));
        for (const RequestId request : requests) wait(request);
        check_nothing_is_held();
    }
    void check_nothing_is_held() {
        const EngineStats now = stats();
        const int64_t cells = now.kv_cells + now.verifier_kv_cells + now.reference_kv_cells + now.draft_kv_cells;
        CHECK_EQ(now.searches + now.branches + cells + now.leases, 0);
        check_no_cells();
    }
    // The engine goes, whatever it does; after this every request sent has had its one answer.
    void destroy() {
        scheduler_.reset();
        for (const auto & model : {probe, verifier_probe, reference_probe, draft_probe}) CHECK_EQ(model->violations, 0);
        check_no_cells();
        CHECK_EQ(answered_twice_, 0);
        const std::lock_guard lock(mutex_);
        CHECK_EQ(completions_.size(), static_cast<size_t>(request_));
    }
    std::map<RequestId, Completion> answers() {
        const std::lock_guard lock(mutex_);
        return completions_;
    }

private:
    void check_no_cells() {
        for (const auto & model : {probe, verifier_probe, reference_probe, draft_probe}) CHECK_EQ(model->cells_used, 0);
    }
    void take(std::vector<Completion> completions) {
        {
            const std::lock_guard lock(mutex_);
            for (Completion & completion : completions) {
                const RequestId request = completion.request;
                if (!completions_.emplace(request, std::move(completion)).second) ++answered_twice_;
            }
        }
        arrived_.notify_all();
    }

    const Setup setup_;
    std::atomic<uint32_t> request_{0};
    std::atomic<uint32_t> id_{1};
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::map<RequestId, Completion> completions_;
    std::set<SearchId> open_;
    int answered_twice_ = 0;
    std::unique_ptr<Scheduler> scheduler_;
};

inline std::string text_of(const Completion & completion) {
    std::string text;
    for (const StepResult & step : completion.steps) text += step.text;
    return text;
}

inline bool same(double a, double b) { return std::abs(a - b) <= 1e-5 * (1 + std::abs(b)) || (a != a && b != b); }

}  // namespace thinktree
