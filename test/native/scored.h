// What the tests of scores share: engines with a verifier, scores computed the slow way, and a tree each of whose
// branches has a twin that is written and scored alone.
#pragma once

#include <random>

#include "driver.h"
#include "naive.h"

namespace thinktree {

inline Reading pair_reading(const std::string & tag, Token positive, Token negative) {
    Reading reading;
    reading.kind = Reading::Kind::pair;
    reading.first.after = reading.next.after = tag;
    reading.positive = positive;
    reading.negative = negative;
    return reading;
}
inline const Reading fake_tag_reading = pair_reading(std::string(fake_tag), '+', '-');

// In turns, as RLHFlow's; what is between two steps belongs to neither, and the last of it is read and forgotten.
inline Reading turns_reading(Reading::Words words) {
    Reading reading = pair_reading(" end<tag>", '1', '2');
    reading.words = words;
    reading.first.before = " ";
    reading.next.before = "+<tag>";
    reading.probe = "so<tag>";
    reading.one_line = true;
    return reading;
}
inline Reading head_reading() {
    Reading reading;
    reading.kind = Reading::Kind::head;
    reading.words = Reading::Words::joined;
    reading.next.before = "\n";
    reading.head = std::make_shared<RewardHead>(
        std::vector<RewardHead::Layer>{{fake_width, 2, {1, 2, 3, 4, 5, 6, 7, 8, 1, -2, 1, -2, 1, -2, 1, -2}, {-9, 0.5}},
                                       {2, 3, {0.1f, 1, -0.2f, 1, 0.3f, -1}, {}}},
        RewardHead::Activation::softmax, std::vector<size_t>{1, 2});
    return reading;
}

// The same head on the generator's own states.
inline Driver::Setup with_own_head() {
    Driver::Setup setup;
    setup.head = head_reading().head;
    return setup;
}

inline Reading before_last_reading() {
    Reading reading = head_reading();
    reading.words = Reading::Words::apart;
    reading.next.before = "";
    reading.before_last = true;
    return reading;
}

// An implicit PRM over whatever the generator writes; and one in a frame that counts the steps, read two tokens into
// the next one's or up to the solution's end.
inline Reading ratio_reading() {
    Reading reading;
    reading.kind = Reading::Kind::ratio;
    reading.beta = 0.05;
    return reading;
}
inline Reading counted_reading() {
    Reading reading = ratio_reading();
    reading.words = Reading::Words::joined;
    reading.first.before = "\nStep {k}: ";
    reading.next.before = "--Step {k}: ";
    reading.beyond = 2;
    reading.end = "end<tag>";
    return reading;
}

// Every reading, under the generator's vocabulary and under another.
struct ReadingCase {
    Reading reading;
    int32_t vocab;
};
inline const ReadingCase all_readings[]{{{}, 260},
                                        {{}, 300},
                                        {fake_tag_reading, 260},
                                        {fake_tag_reading, 300},
                                        {turns_reading(Reading::Words::joined), 260},
                                        {turns_reading(Reading::Words::apart), 300},
                                        {head_reading(), 260},
                                        {head_reading(), 300},
                                        {before_last_reading(), 260},
                                        {ratio_reading(), 260},
                                        {counted_reading(), 300}};

inline Driver::Setup with_verifier(const Reading & reading = {}, int32_t vocab = FakeOptions{}.vocab) {
    Driver::Setup setup;
    setup.with_verifier = true;
    setup.reading = reading;
    setup.verifier.vocab = vocab;
    return setup;
}

// What a solution's steps are to a verifier, one after the other. The toy's tokens are bytes, so that a text is the
// same tokens however it is put together.
class NaivePieces {
public:
    NaivePieces(const Model & model, const Reading & reading) : model_(model), reading_(reading) {}

    // `begins`: a solution begins with it.
    std::vector<Token> next(const NaiveStep & step, bool begins) {
        if (begins) number_ = 0;
        std::string words = step.text;
        if (reading_.words != Reading::Words::own) {
            while (words.ends_with('\n')) words.pop_back();
            while (words.starts_with('\n')) words.erase(0, 1);
        }
        for (char & c : words) {
            if (c == '\n' && reading_.one_line) c = ' ';
        }
        const Reading::Frame frame = reading_.frame(number_ + 1);
        const size_t begun = number_ == 0 ? 0 : reading_.beyond;
        std::string after = frame.after;
        if (!step.last) after += reading_.frame(number_ + 2).before.substr(0, reading_.beyond);
        if (step.last) after += reading_.end;
        auto tokens = model_.tokenize({{frame.before.substr(begun), true}, {words, false}, {after, true}}, false);
        if (!tokens.empty()) ++number_;  // a step without tokens is none
        return tokens;
    }

private:
    const Model & model_;
    const Reading & reading_;
    uint32_t number_ = 0;
};

inline std::vector<double> naive_scores(const NaiveBranch & alone, NaiveModel & verifier, const std::string & prompt,
                                        const Reading & reading, bool sees_context = false) {
    const Model & model = verifier.model();
    if (reading.kind == Reading::Kind::likelihood) {
        return alone.likelihoods(verifier, prompt, model.n_vocab() == FakeOptions{}.vocab, sees_context);
    }
    NaivePieces pieces(model, reading);
    NaiveModel reference(other_opinion({.vocab = model.n_vocab()}));
    double log_ratio = 0;
    const auto append = [&](std::vector<Token> & path, const NaiveStep & step, bool begins) {
        const std::vector<Token> piece = pieces.next(step, begins);
        for (const Token token : piece) {
            if (reading.kind == Reading::Kind::ratio) {
                log_ratio += static_cast<double>(log_probability(verifier.row_after(path), token));
                log_ratio -= static_cast<double>(log_probability(reference.row_after(path), token));
            }
            path.push_back(token);
        }
        return !piece.empty();
    };
    std::vector<Token> path = alone.read_before(verifier, prompt, sees_context, append);
    log_ratio = 0;
    std::vector<double> scores;
    for (const NaiveStep & step : alone.steps) {
        if (!append(path, step, &step == &alone.steps.front())) {
            scores.push_back(1);  // nothing to doubt
            continue;
        }
        if (reading.kind == Reading::Kind::ratio) {
            scores.push_back(1 / (1 + std::exp(-reading.beta * log_ratio)));
            continue;
        }
        std::vector<Token> read = path;
        for (const Token token : model.tokenize(template_text(reading.probe), false)) read.push_back(token);
        if (reading.before_last) read.pop_back();
        const float score = reading.kind == Reading::Kind::head
                                ? verifier.reward_after(read, *reading.head)
                                : pair_probability(verifier.row_after(read), reading.positive, reading.negative);
        scores.push_back(static_cast<double>(score));
    }
    return scores;
}
// Whether the last token of all needs not be decoded.
inline bool reads_no_end(const Reading & reading) { return !reading.reads_last_row() || reading.before_last; }
// Tokens that the verifier decodes for a solution's steps.
inline int64_t naive_cost(const NaiveBranch & alone, const Model & model, const Reading & reading) {
    const size_t probe = model.tokenize(template_text(reading.probe), false).size();
    NaivePieces pieces(model, reading);
    size_t tokens = 0;
    for (const NaiveStep & step : alone.steps) {
        tokens += pieces.next(step, &step == &alone.steps.front()).size() + probe;
    }
    return static_cast<int64_t>(tokens) - (reads_no_end(reading) && !alone.steps.empty());
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
          reading_(setup.head ? own_reading(setup.head) : setup.reading),
          prompt_(setup.head ? "grow" : "grow?"),
          sees_context_(setup.head || sees_context),
          verifier_(setup.head ? setup.generator : setup.verifier),
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
                              naive_scores(branches_[at].alone, verifier_, prompt_, reading_, sees_context_));
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

    // What the generator has read and written, and nothing else.
    static Reading own_reading(std::shared_ptr<const RewardHead> head) {
        Reading reading;
        reading.kind = Reading::Kind::head;
        reading.head = std::move(head);
        return reading;
    }

    const Reading reading_;
    const std::string prompt_;
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
    setup.reading = all_readings[random() % std::size(all_readings)].reading;
    if (!fakes_fork_at_ends && random() % 4 == 0) {
        setup.with_verifier = false;
        setup.head = with_own_head().head;
    }
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
