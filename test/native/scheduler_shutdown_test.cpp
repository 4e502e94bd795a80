// Checks that an engine can be destroyed at any moment: it never hangs, and every request that was submitted has
// exactly one answer (Driver::destroy counts them).
#include <random>

#include "driver.h"

namespace {

using namespace thinktree;

Driver::Setup busy(uint64_t seed) {
    Driver::Setup setup;
    setup.with_verifier = true;
    setup.stops_checking = true;
    setup.generator.decode_time = setup.verifier.decode_time = std::chrono::microseconds(seed % 3 * 150);
    if (seed % 5 == 4) setup.generator.cells = setup.verifier.cells = 80;
    if (seed % 7 == 6) setup.generator.throw_every = setup.verifier.fail_every = 3;
    return setup;
}

void work(Driver & driver, std::mt19937_64 & random, int operations) {
    std::vector<BranchId> branches{driver.open("work", random()).root};
    for (int i = 0; i < operations; ++i) {
        const BranchId branch = branches[random() % branches.size()];
        switch (random() % 8) {
            case 0: branches.push_back(driver.open("more", random()).root); break;
            case 1:
            case 2: branches.push_back(driver.fork(branch, 2)[1]); break;
            case 3: driver.score(branch); break;
            case 4: driver.read_ledger(1 + static_cast<SearchId>(random() % 9)); break;
            case 5: driver.release(branch); break;
            default: driver.extend(branch, 1 + random() % 4, random() % 2);
        }
    }
}

TEST(destroying_the_engine_mid_decode_answers_everything_once) {
    for (uint64_t seed = 0; seed < 100; ++seed) {
        const Watchdog watchdog("destroying a busy engine", 60);
        std::mt19937_64 random(seed);
        Driver driver(busy(seed));
        work(driver, random, 30);
        if (seed % 2) std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
        work(driver, random, 5);  // likely still in the queue
        driver.destroy();
        for (const auto & [request, completion] : driver.answers()) {
            CHECK(completion.error != ErrorCode::internal);
        }
    }
}

TEST(what_the_queue_still_holds_is_answered_too) {
    for (int round = 0; round < 50; ++round) {
        const Watchdog watchdog("destroying an engine with a full queue", 60);
        Driver driver(busy(0));
        const auto opened = driver.open("queued", 1);
        const RequestId extend = driver.extend(opened.root), score = driver.score(opened.root);
        const RequestId ledger = driver.read_ledger(opened.search), close = driver.close(opened.search);
        driver.destroy();
        for (const RequestId request : {opened.request, extend, score, ledger, close}) {
            const auto answers = driver.answers();
            CHECK(answers.contains(request));
        }
    }
}

TEST(an_engine_that_never_worked_goes_quietly) {
    for (int round = 0; round < 50; ++round) {
        const Watchdog watchdog("destroying an idle engine", 60);
        Driver driver;
    }
}

TEST(a_failed_load_is_reported_and_its_requests_are_answered) {
    for (const bool typed : {true, false}) {
        std::atomic<int> failed{0}, answered{0};
        std::mutex first;
        first.lock();  // the load waits until something is queued
        {
            Scheduler scheduler(
                [&](const std::function<bool()> &) -> Lanes {
                    const std::lock_guard wait(first);
                    if (typed) throw Error(ErrorCode::unsupported_model, "to order");
                    throw std::runtime_error("to order");
                },
                Scheduler::Events{[] { CHECK(false); },
                                  [&](const Error & error) {
                                      ++failed;
                                      CHECK(error.code ==
                                            (typed ? ErrorCode::unsupported_model : ErrorCode::model_load_failed));
                                  },
                                  [&](const std::vector<Completion> & completions) {
                                      answered += static_cast<int>(completions.size());
                                  }});
            OpenSearch open{};
            open.prompt = template_text("p");
            scheduler.submit({open, ReadLedger{1, 1}});
            first.unlock();
        }
        CHECK_EQ(failed.load(), 1);
        CHECK_EQ(answered.load(), 2);
    }
}

// A tokenizer that throws must cost one request, not the process.
class ThrowingModel final : public Model {
public:
    explicit ThrowingModel(std::shared_ptr<const Model> model) : model_(std::move(model)) {}
    int32_t n_vocab() const override { return model_->n_vocab(); }
    int32_t width() const override { return model_->width(); }
    uint64_t n_params() const override { return model_->n_params(); }
    uint64_t loaded_bytes() const override { return model_->loaded_bytes(); }
    int64_t cell_bytes(CacheType cache) const override { return model_->cell_bytes(cache); }
    std::vector<Token> tokenize(const Text & text, bool begins) const override {
        if (text.front().text.starts_with("throw")) throw std::runtime_error("to order");
        return model_->tokenize(text, begins);
    }
    const std::string & piece(Token token) const override { return model_->piece(token); }
    bool is_end(Token token) const override { return model_->is_end(token); }
    std::optional<std::string> metadata(const std::string & key) const override { return model_->metadata(key); }
    std::unique_ptr<Context> make_context(const ContextOptions & options,
                                          std::function<bool()> should_abort) const override {
        return model_->make_context(options, std::move(should_abort));
    }

private:
    std::shared_ptr<const Model> model_;
};

TEST(a_model_that_throws_costs_one_request) {
    std::mutex mutex;
    std::map<RequestId, ErrorCode> answers;
    {
        Scheduler scheduler(
            [](std::function<bool()> should_abort) {
                const auto model = std::make_shared<ThrowingModel>(make_fake_model({}));
                Lanes lanes;
                lanes.generator = std::make_unique<Lane>(model, model->make_context({}, std::move(should_abort)));
                return lanes;
            },
            Scheduler::Events{[] {}, [](const Error &) { CHECK(false); },
                              [&](const std::vector<Completion> & completions) {
                                  const std::lock_guard lock(mutex);
                                  for (const Completion & c : completions) answers[c.request] = c.error;
                              }});
        OpenSearch good{}, bad{};
        good.request = 1, good.search = 1, good.root = 1, good.prompt = template_text("good");
        bad.request = 2, bad.search = 2, bad.root = 2, bad.prompt = template_text("throw");
        scheduler.submit({good, bad, Extend{3, 1, 1, {}, false}});
        for (int i = 0; i < 5000; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            const std::lock_guard lock(mutex);
            if (answers.size() == 3) break;
        }
    }
    CHECK(answers[1] == ErrorCode::none);
    CHECK(answers[2] == ErrorCode::internal);
    CHECK(answers.contains(3) && answers[3] == ErrorCode::none);
}

}  // namespace
