// What the engine must come to, computed the slow way: each path alone, in one sequence of a cache of its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "base/counter_rng.h"
#include "sampling/sampler.h"
#include "scheduler/command.h"

namespace thinktree {

class NaiveModel {
public:
    explicit NaiveModel(FakeOptions options = {}) : model_(make_fake_model(sound(options))) {}

    // The logits after the last of these tokens.
    const std::vector<float> & row_after(const std::vector<Token> & path) {
        const auto known = rows_.find(path);
        if (known != rows_.end()) return known->second;
        const auto context = decoded(path, {});
        return rows_[path] = std::vector<float>(context->logits(0), context->logits(0) + model_->n_vocab());
    }
    float reward_after(const std::vector<Token> & path, const RewardHead & head) {
        const Ask asks[]{{0, Reward{&head}}};
        return decoded(path, asks)->answers()[0].value;
    }

    const Model & model() const { return *model_; }

private:
    std::unique_ptr<Context> decoded(const std::vector<Token> & path, std::span<const Ask> asks) {
        auto context = model_->make_context({}, [] { return false; });
        std::vector<BatchRow> batch;
        for (const Token token : path) batch.push_back({token, static_cast<Pos>(batch.size()), 0, false});
        batch.back().output = true;
        context->decode(batch, asks);
        return context;
    }

    static FakeOptions sound(const FakeOptions & options) {
        FakeOptions all;
        all.cells = all.batch = all.positions = 2048;
        all.forks_at_ends = false;
        all.vocab = options.vocab;
        all.stray_every = options.stray_every;
        return all;
    }

    std::shared_ptr<const Model> model_;
    std::map<std::vector<Token>, std::vector<float>> rows_;
};

struct NaiveStep {
    std::string text;
    std::vector<Token> tokens;  // without the end token, which is sampled but never kept
    uint32_t sampled = 0;
    double log_probability = 0;
    bool last = false;  // ended by the solution's end
};

// A branch that is written alone.
struct NaiveBranch {
    std::vector<Token> path;
    uint64_t key = 0;
    std::vector<NaiveStep> steps;
    bool finished = false;
    // The attempts that a conditioned branch has read, each with the text after it.
    std::vector<std::pair<std::vector<NaiveStep>, std::string>> attempts{};

    static NaiveBranch root(NaiveModel & naive, const std::string & prompt, uint64_t seed) {
        return {naive.model().tokenize(template_text(prompt), true), fork_key(seed, 0), {}, false, {}};
    }
    NaiveBranch fork(uint32_t index) const {
        NaiveBranch copy = *this;
        copy.key = fork_key(key, index);
        return copy;
    }

    NaiveBranch condition(uint32_t index, const std::string & text) const {
        NaiveBranch copy = fork(index);
        copy.attempts.emplace_back(std::exchange(copy.steps, {}), text);
        for (const char c : text) copy.path.push_back(static_cast<unsigned char>(c));
        copy.finished = false;
        return copy;
    }

    // `regex`: what the rules' pattern means.
    void extend(NaiveModel & naive, uint32_t count, const SamplerOptions & sampler, const StopRules & rules = {},
                const std::regex * regex = nullptr) {
        const auto draw = [&] {
            const double uniform = uniform_at(key, static_cast<uint32_t>(path.size()));
            const Sample sample = Sampler().sample(naive.row_after(path), sampler, uniform);
            finished = naive.model().is_end(sample.token);
            return sample;
        };
        for (; count > 0 && !finished; --count) {
            NaiveStep step;
            while (!ends(step, rules, regex)) {
                const Sample sample = draw();
                const bool unsure = sample.log_probability < rules.least_log_probability;
                if (!finished && unsure && begins(step) != std::string::npos) break;
                ++step.sampled;
                step.log_probability += static_cast<double>(sample.log_probability);
                if (finished) break;
                path.push_back(sample.token);
                step.tokens.push_back(sample.token);
                step.text += naive.model().piece(sample.token);
            }
            step.last = finished;
            if (!step.tokens.empty()) steps.push_back(step);
        }
        if (!finished) draw();  // whether the solution ends here is known at once
    }

    static size_t begins(const NaiveStep & step) { return step.text.find_first_not_of(" \t\r\n"); }
    static bool ends(const NaiveStep & step, const StopRules & rules, const std::regex * regex) {
        if (begins(step) == std::string::npos) return false;
        const std::string words = step.text.substr(begins(step));
        if (rules.tokens > 0 && step.tokens.size() >= rules.tokens) return true;
        if (regex != nullptr && std::regex_search(words, *regex)) return true;
        return std::any_of(rules.delimiters.begin(), rules.delimiters.end(),
                           [&](const auto & delimiter) { return words.find(delimiter) != std::string::npos; });
    }

    std::string text() const {
        std::string all;
        for (const NaiveStep & step : steps) all += step.text;
        return all;
    }
    int64_t sampled() const {
        int64_t all = finished ? 1 : 0;
        for (const NaiveStep & step : steps) all += static_cast<int64_t>(step.tokens.size());
        return all;
    }

    // What a verifier reads before the solution; `append` puts the next step of an earlier attempt there.
    template <class Append>
    std::vector<Token> read_before(NaiveModel & verifier, const std::string & prompt, bool sees_context,
                                   Append append) const {
        std::vector<Token> before = verifier.model().tokenize(template_text(prompt), true);
        for (const auto & [attempt, text] : attempts) {
            if (!sees_context) continue;
            for (const NaiveStep & step : attempt) append(before, step, &step == &attempt.front());
            for (const Token token : verifier.model().tokenize(template_text(text), false)) before.push_back(token);
        }
        return before;
    }

    // Likelihood of each step under `verifier`, tokens as the generator wrote them or as the text is tokenised.
    std::vector<double> likelihoods(NaiveModel & verifier, const std::string & prompt, bool same_vocabulary,
                                    bool sees_context = false) const {
        std::vector<Token> before =
            read_before(verifier, prompt, sees_context, [](auto & path, const auto & step, bool) {
                path.insert(path.end(), step.tokens.begin(), step.tokens.end());
            });
        std::vector<double> scores;
        for (const NaiveStep & step : steps) {
            double sum = 0;
            for (const Token token :
                 same_vocabulary ? step.tokens : verifier.model().tokenize(plain_text(step.text), false)) {
                sum += static_cast<double>(log_probability(verifier.row_after(before), token));
                before.push_back(token);
            }
            scores.push_back(std::exp(sum));
        }
        return scores;
    }
};

// Tokens that are different, or stand at different places, on any of the branches' paths.
inline int64_t distinct_tokens(const std::vector<NaiveBranch> & branches) {
    std::set<std::vector<Token>> paths;
    for (const NaiveBranch & branch : branches) {
        for (size_t n = 1; n <= branch.path.size(); ++n) {
            paths.emplace(branch.path.begin(), branch.path.begin() + static_cast<std::ptrdiff_t>(n));
        }
    }
    return static_cast<int64_t>(paths.size());
}

}  // namespace thinktree
