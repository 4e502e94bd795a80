// What the tests of scores share: engines with a verifier, scores computed the slow way, and a tree each of whose
// branches has a twin that is written and scored alone.
#pragma once

#include <random>

#include "driver.h"
#include "naive.h"

namespace thinktree {

inline const Reading fake_tag_reading{Reading::Kind::tag, fake_tag_token, '+', '-'};

// Either reading, under the generator's vocabulary and under another.
struct ReadingCase {
    Reading reading;
    int32_t vocab;
};
inline const ReadingCase all_readings[]{{{}, 260}, {{}, 300}, {fake_tag_reading, 260}, {fake_tag_reading, 300}};

inline Driver::Setup with_verifier(const Reading & reading = {}, int32_t vocab = FakeOptions{}.vocab) {
    Driver::Setup setup;
    setup.with_verifier = true;
    setup.reading = reading;
    setup.verifier.vocab = vocab;
    return setup;
}

inline std::vector<double> naive_scores(const NaiveBranch & alone, NaiveModel & verifier, const std::string & prompt,
                                        const Reading & reading, bool sees_context = false) {
    return reading.kind == Reading::Kind::tag
               ? alone.tags(verifier, prompt, reading.tag, reading.positive, reading.negative, sees_context)
               : alone.likelihoods(verifier, prompt, verifier.model().n_vocab() == FakeOptions{}.vocab, sees_context);
}

inline void check_scores(const Completion & completion, const std::vector<double> & expected) {
    CHECK(completion.error == ErrorCode::none);
    CHECK_EQ(completion.scores.size(), expected.size());
    for (size_t i = 0; i < std::min(expected.size(), completion.scores.size()); ++i) {
        if (!same(completion.scores[i], expected[i])) CHECK_EQ(completion.scores[i], expected[i]);
    }
}

class Twins {
public:
    Driver driver;

    Twins(const Driver::Setup & setup, uint64_t seed, bool sees_context = false)
        : driver(setup),
          reading_(setup.reading),
          sees_context_(sees_context),
          verifier_(setup.verifier),
          opened_(driver.open("grow", seed, [&](OpenSearch & c) { c.verifier_sees_context = sees_context; })),
          branches_{{opened_.root, NaiveBranch::root(naive_, "grow", seed)}} {}

    size_t size() const { return branches_.size(); }
    const NaiveBranch & operator[](size_t at) const { return branches_[at].alone; }
    Ledger ledger() { return driver.ledger(opened_.search); }

    void fork(size_t at) {
        Branch & parent = branches_[at];
        const BranchId id = driver.fork(parent.id, 1)[0];
        branches_.push_back({id, parent.alone.fork(parent.forks++)});
    }
    void condition(size_t at, const std::string & text) {
        Branch & parent = branches_[at];
        const BranchId id = driver.condition(parent.id, text);
        branches_.push_back({id, parent.alone.condition(parent.forks++, text)});
    }
    void extend(size_t at, uint32_t steps, bool score) {
        Branch & branch = branches_[at];
        const Completion completion = driver.wait(driver.extend(branch.id, steps, score));
        const std::string before = branch.alone.text();
        branch.alone.extend(naive_, steps, {});
        CHECK_EQ(before + text_of(completion), branch.alone.text());
    }
    void release(size_t at) {
        driver.release(branches_[at].id);
        branches_.erase(branches_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    void score(size_t at) {
        pending_.emplace_back(driver.score(branches_[at].id),
                              naive_scores(branches_[at].alone, verifier_, "grow?", reading_, sees_context_));
    }
    // Of all that were asked for.
    void check_all_scores() {
        for (const auto & [request, expected] : pending_) check_scores(driver.wait(request), expected);
    }

private:
    struct Branch {
        BranchId id;
        NaiveBranch alone;
        uint32_t forks = 0;
    };

    const Reading reading_;
    const bool sees_context_;
    NaiveModel naive_, verifier_;
    const Driver::Opened opened_;
    std::vector<Branch> branches_;
    std::vector<std::pair<RequestId, std::vector<double>>> pending_;
};

// Any reading and vocabulary, with room and without, with faults and without.
inline Driver::Setup random_setup(std::mt19937_64 & random) {
    Driver::Setup setup;
    setup.with_verifier = random() % 4 != 0;
    if (random() % 2) setup.reading = fake_tag_reading;
    setup.verifier.vocab = random() % 2 ? 260 : 300;
    if (random() % 2) {
        setup.generator.cells = setup.verifier.cells = 90;
        setup.generator.positions = setup.verifier.positions = 90;
        setup.generator.sequences = setup.verifier.sequences = 1 + static_cast<int32_t>(random() % 4);
        setup.generator.batch = setup.verifier.batch = 8 + static_cast<int32_t>(random() % 40);
        setup.generator.tree_rows = setup.verifier.tree_rows = 8;
    }
    if (random() % 4 == 0) setup.generator.fail_every = setup.verifier.fail_every = 7;
    return setup;
}

}  // namespace thinktree
