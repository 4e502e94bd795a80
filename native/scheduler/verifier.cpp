#include "scheduler/verifier.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "backend/vocabulary.h"
#include "scheduler/continuation.h"

namespace thinktree {

namespace {

// Scoring waits for this many tokens, but no longer than this many turns of the generator: beside 64 branches on a CPU,
// batches of 256 rows cost a fifth less a row than those of 32.
constexpr uint32_t worthwhile_tokens = 256;
constexpr int32_t longest_wait = 16;

// Which one of its solution's steps it is, from 1: those without tokens are none.
uint32_t number_of(const Step & step) {
    uint32_t number = 1;
    for (const Step * at = step.parent.get(); !at->given; at = at->parent.get()) {
        if (at->verifier_place == at) ++number;
    }
    return number;
}

// What is read in part with the step before must be letters, since their number tells how far.
void check(const Reading & reading, const Model & model) {
    if (reading.beyond == 0) return;
    for (const Token token : model.tokenize(template_text(reading.frame(2).before), false)) {
        if (!model.piece(token).empty()) continue;
        throw Error(ErrorCode::invalid_option,
                    "the verifier's recipe reads on into what stands before the next step, and that has a special "
                    "token: leave `beyond` out, or put the token after the step");
    }
}

// Special tokens have no letters to be compared by; those that matter are the templates'.
bool same_templates(const Reading & reading, const Model & a, const Model & b) {
    for (const std::string & words :
         {reading.first.before, reading.first.after, reading.next.before, reading.next.after, reading.end}) {
        if (a.tokenize(template_text(words), false) != b.tokenize(template_text(words), false)) return false;
    }
    return true;
}

}  // namespace

Verifier::Verifier(std::unique_ptr<Lane> lane, std::unique_ptr<Lane> reference, Reading reading,
                   const Model & generator)
    : reading_(std::move(reading)),
      model_(std::move(lane), reading_, {&Step::by_verifier, &Search::verifier_usage, &Account::Decoded::verifier}),
      own_tokens_(reading_.words == Reading::Words::own && same_vocabulary(*model_.lane().model, generator)) {
    const Model & model = *model_.lane().model;
    check(reading_, model);
    if (!reference) return;
    if (!same_vocabulary(*reference->model, model) || !same_templates(reading_, *reference->model, model)) {
        throw Error(ErrorCode::invalid_option,
                    "the verifier's reference model has another vocabulary: it must be the model that the verifier was "
                    "trained from, or one with the same tokens");
    }
    reference_.emplace(std::move(reference), reading_,
                       StepReader::Books{&Step::by_reference, &Search::reference_usage, &Account::Decoded::reference});
}

void Verifier::open(Step & root, const Text & prompt) {
    const std::vector<Token> tokens = model_.lane().model->tokenize(prompt, true);
    if (tokens.empty()) throw Error(ErrorCode::empty_prompt, "the verifier's prompt is empty");
    each_model([&](StepReader & model) {
        if (static_cast<int64_t>(tokens.size()) >= model.lane().context->limits().positions) {
            throw Error(ErrorCode::context_exceeded, "the question does not fit the verifier's context");
        }
    });
    each_model([&](StepReader & model) { model.add_root(root, tokens); });
}

void Verifier::score(const std::shared_ptr<Step> & step) {
    std::vector<std::shared_ptr<Step>> path;
    for (std::shared_ptr<Step> at = step; at->parent; at = at->parent) {
        if (at->given && at->verifier_place != at.get()) break;  // the root's, or what is above is begun already
        if (at->given ? !at->by_verifier.node : !at->score && !at->scoring) path.push_back(at);
    }
    for (size_t i = path.size(); i-- > 0;) path[i]->given ? begin_context(*path[i]) : begin(path[i]);
    settle();
}

void Verifier::condition(Step & context) {
    context.search->conditioned = true;
    if (context.search->verifier_sees_context) return;  // its tokens are wanted once something below is scored
    Step * root = &context;
    while (root->parent) root = root->parent.get();
    context.verifier_place = root;
}

int64_t Verifier::room_after(const Step & step) const {
    int64_t room = std::numeric_limits<int64_t>::max();
    each_model([&](const StepReader & model) {
        room = std::min<int64_t>(room, model.lane().context->limits().positions - model.of(step).node->end());
    });
    return room;
}

void Verifier::begin_context(Step & context) {
    context.score_error = ErrorCode::none;
    const Step & before = above(context);
    if (!before.by_verifier.node) {
        context.score_error = before.score_error;
        return;
    }
    const std::vector<Token> tokens = model_.lane().model->tokenize(template_text(context.text), false);
    if (tokens.empty()) {
        context.verifier_place = context.parent->verifier_place;
    } else if (static_cast<int64_t>(tokens.size()) > room_after(before)) {
        context.score_error = ErrorCode::context_exceeded;
    } else {
        each_model([&](StepReader & model) { model.add_context(context, tokens); });
    }
}

Piece Verifier::piece_of(const Step & step) const {
    const Model & model = *model_.lane().model;
    Place place{.number = number_of(step), .last = step.last};
    if (!own_tokens_) {
        const TokenForest & forest = model_.lane().forest;
        const NodeId end = above(step).by_verifier.node.id();
        uint32_t replaceable = 0;
        for (NodeId id = end; replaceable < reading_.replaceable(); id = forest[id].parent, ++replaceable) {
            if (forest[id].given || forest[id].size() > 1) break;
        }
        if (place.number > 1) place.begun = above(step).next_begun;
        return reading_.piece(model, step.text, place, letters_before(forest, end, model), replaceable);
    }
    std::vector<Token> tokens = step.tokens();
    const std::vector<Token> after = model.tokenize(template_text(reading_.frame(place.number).after), false);
    tokens.insert(tokens.end(), after.begin(), after.end());
    return {{std::move(tokens)}};
}

void Verifier::begin(const std::shared_ptr<Step> & step) {
    step->score_error = ErrorCode::none;
    const bool again = static_cast<bool>(step->by_verifier.node);
    if (!again && step->verifier_place == step.get()) {
        Step & before = above(*step);
        if (!before.by_verifier.node) {  // its own scoring failed, and so does ours
            step->score_error = before.score_error;
            return;
        }
        const auto [continuation, begun] = piece_of(*step);
        if (continuation.tokens.empty()) {   // no text, nothing to doubt; nodes of the forest are never empty
            step->verifier_place = &before;  // a context may follow
            each_model([&](StepReader & model) { model.pass(*step); });
        } else {
            const auto owed = static_cast<int64_t>(continuation.tokens.size() + model_.probe_tokens());
            if (owed > room_after(before)) {
                step->score_error = ErrorCode::context_exceeded;
                return;
            }
            step->next_begun = begun;
            each_model([&](StepReader & model) { model.add(*step, continuation); });
        }
    }
    step->scoring = true;
    scoring_.push_back(step);
    each_model([&](StepReader & model) {
        if (!model.of(*step).value) model.begin(step, again);
    });
}

void Verifier::commit(const std::function<void(const ToScore &)> & each_to_score) const {
    std::vector<StepReader::Owing> owing;
    each_model([&](const StepReader & model) { owing.emplace_back(model); });
    std::unordered_set<const Step *> steps;
    each_to_score([&](const Step & step, const std::string & text, uint32_t tokens) {
        Search & search = *step.search;
        if (search.account->flops_budget < 0) return;
        search.account->committed += Account::scoring(tokens_to_score(text, tokens));
        const Step * at = step.verifier_place;
        for (; !at->by_verifier.node && steps.insert(at).second; at = at->parent->verifier_place) {
            if (at->given) {
                const auto words = model_.lane().model->tokenize(template_text(at->text), false);
                search.account->committed += Account::scoring(static_cast<int64_t>(words.size()));
            } else {
                const auto tokens_above = static_cast<uint32_t>(at->n_tokens());
                search.account->committed += Account::scoring(tokens_to_score(at->text, tokens_above));
            }
        }
        if (!at->by_verifier.node) return;
        for (StepReader::Owing & model : owing) model.add(search, model.reader().of(*at).node);
    });
}

int64_t Verifier::tokens_to_score(const std::string & text, uint32_t tokens) const {
    const Model & model = *model_.lane().model;
    const auto length = [&](const std::string & words) { return model.tokenize(template_text(words), false).size(); };
    const size_t step = own_tokens_
                            ? tokens + std::max(length(reading_.frame(1).after), length(reading_.frame(2).after))
                            : reading_.most_tokens(model, text);
    return static_cast<int64_t>(step + model_.probe_tokens());
}

void Verifier::drop(const Search & search) {
    std::erase_if(scoring_, [&](const auto & step) {
        if (step->search != &search) return false;
        each_model([&](StepReader & model) { model.drop(*step); });
        step->scoring = false;
        step->score_error = ErrorCode::none;
        return true;
    });
}

bool Verifier::worth_a_turn(bool generator_busy) {
    if (!has_work()) return false;
    uint32_t pending = 0;
    each_model([&](const StepReader & model) { pending = std::max(pending, model.pending_tokens()); });
    return !generator_busy || pending >= worthwhile_tokens || ++turns_waited_ > longest_wait;
}

void Verifier::turn(EngineStats & stats) {
    turns_waited_ = 0;
    const auto begun = Clock::now();
    const StepReader::Turn own = model_.turn();
    stats.verifier_decodes += own.decodes;
    stats.verifier_tokens += own.tokens;
    if (reference_) {
        const StepReader::Turn other = reference_->turn();
        stats.reference_decodes += other.decodes;
        stats.reference_tokens += other.tokens;
    }
    settle();
    stats.verify_ms += milliseconds(Clock::now() - begun);
}

// Parents come first, so that one that has failed takes its children along.
void Verifier::settle() {
    std::erase_if(scoring_, [&](const auto & step) { return is_settled(*step); });
}

// Scores the step if all is there that its score is made of, or gives it up if that will not come.
bool Verifier::is_settled(Step & step) {
    const auto over = [&](ErrorCode error) {
        each_model([&](StepReader & model) { model.drop(step); });
        step.score_error = error;
        step.scoring = false;
        return true;
    };
    bool read = true, failed = false;
    each_model([&](const StepReader & model) {
        const Read & of = model.of(step);
        read = read && of.value;
        failed = failed || (!of.value && !of.under_way);
    });
    if (failed) return over(step.score_error);
    if (!read) return false;
    double score = *step.by_verifier.value;
    if (reading_.kind == Reading::Kind::likelihood) score = std::exp(score);
    if (reading_.kind == Reading::Kind::ratio) {
        for (const Step * at = step.parent.get(); !at->given; at = at->parent.get()) {
            if (at->scoring) return false;
            if (!at->score) return over(at->score_error);
        }
        score = 1 / (1 + std::exp(-reading_.beta * log_ratio(step)));
    }
    if (!std::isfinite(score)) return over(ErrorCode::bad_logits);
    step.score = score;
    return over(ErrorCode::none);
}

// Of the solution up to the step's end, all of which has been read.
double Verifier::log_ratio(const Step & step) const {
    double sum = 0;
    for (const Step * at = &step; !at->given; at = at->parent.get()) {
        sum += *at->by_verifier.value - at->by_reference.value.value_or(0);
    }
    return sum;
}

}  // namespace thinktree
