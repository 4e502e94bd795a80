#include "scheduler/drafter.h"

#include <algorithm>

#include "backend/vocabulary.h"
#include "base/counter_rng.h"

namespace thinktree {

namespace {

// Texts take cells from nobody who is asked about in the same turn, and between turns they hold none against others.
constexpr uint64_t age = 0;

// The place below whose tokens this one's come in the generator's tree.
Step & above(const Step & place) {
    const Step & parent = *place.parent;
    return place.given && parent.cut ? *parent.parent->place : *parent.place;
}

}  // namespace

Drafter::Drafter(std::unique_ptr<Lane> lane, DraftOptions options, const Model & generator)
    : lane_(std::move(lane)), options_(options) {
    const Model & model = *lane_->model;
    if (same_vocabulary(model, generator) && same_end_tokens(model, generator)) return;
    throw Error(ErrorCode::invalid_option,
                "the draft model's vocabulary (" + std::to_string(model.n_vocab()) +
                    " tokens) is not the generator's (" + std::to_string(generator.n_vocab()) +
                    "): name a smaller model of the generator's family, with the same tokenizer, or leave draft out");
}

// Where the place's tokens end in the draft model's tree, put there if nobody has asked below it so far.
NodeId Drafter::node_of(Step & place) {
    std::vector<Step *> missing;
    Step * at = &place;
    for (; at != nullptr && !at->draft_node; at = at->parent ? &above(*at) : nullptr) missing.push_back(at);
    TokenForest & forest = lane_->forest;
    for (; !missing.empty(); missing.pop_back()) {
        Step & step = *missing.back();
        if (!step.parent) {
            step.draft_node = NodeRef(forest, forest.add_root(step.node.path_below(no_node), step.search->draft_usage));
        } else {
            const Step & before = above(step);
            std::vector<Token> tokens = step.node.path_below(before.node.id());
            step.draft_node = NodeRef(forest, forest.add_child(before.draft_node.id(), std::move(tokens), step.given));
        }
    }
    return place.draft_node.id();
}

// The text only grows. As far as the guess was right its cells go over.
void Drafter::follow(Copy & copy, NodeId above, std::span<const Token> text) {
    TokenForest & forest = lane_->forest;
    for (size_t known = copy.node ? copy.node->size() : 0; known < text.size(); ++known) {
        if (copy.guess && copy.guess->tokens.front() != text[known]) copy.guess = {};
        if (copy.node) {
            forest.append(copy.node.id(), text[known]);
        } else {
            copy.node = NodeRef(forest, forest.add_child(above, {text[known]}));
        }
        if (!copy.guess) continue;
        forest.adopt(copy.node.id(), copy.guess.id());
        if (copy.guess->tokens.empty()) copy.guess = {};
    }
}

void Drafter::end_step(Copy & copy, Step & step) {
    copy.failed = false;
    if (!copy.node && !copy.guess) return;
    follow(copy, step.parent->place->draft_node.id(), step.tokens());
    step.draft_node = std::exchange(copy.node, {});
}

NodeId Drafter::end_of(const Request & request) {
    const Copy & copy = request.copy;
    return copy.guess ? copy.guess.id() : copy.node ? copy.node.id() : request.place.draft_node.id();
}

void Drafter::guess(std::span<Request> requests, EngineStats & stats) {
    const auto begun = Clock::now();
    std::vector<Request *> open;
    for (Request & request : requests) {
        follow(request.copy, node_of(request.place), request.text);
        if (!request.copy.failed) open.push_back(&request);
    }
    while (guess_one_more(open, stats)) continue;
    for (Request & request : requests) {
        lane_->forest.settle(end_of(request));
        if (!request.copy.guess) continue;
        request.guess = request.copy.guess->tokens;
        request.guess.resize(std::min<size_t>(request.guess.size(), request.most));
    }
    stats.draft_ms += milliseconds(Clock::now() - begun);
}

// Decodes what the open texts owe and draws a token after each. A text is open until it needs no more, cannot have
// more, or owes more than fits this decode. False: none is left.
bool Drafter::guess_one_more(std::vector<Request *> & open, EngineStats & stats) {
    TokenForest & forest = lane_->forest;
    std::erase_if(open, [](const Request * r) { return r->copy.guess && r->copy.guess->size() >= r->most; });
    uint32_t owed = 0;
    for (const Request * request : open) owed = std::max(owed, lane_->owed(end_of(*request)));
    lane_->begin(open.size(), owed);
    const std::vector<Request *> asked = open;
    std::erase_if(open, [&](const Request * request) {
        const NodeId end = end_of(*request);
        if (forest[end].end() > lane_->context->limits().positions) return true;
        forest[end].want_last = true;
        // Where nothing is owed the logits have been there and are gone; the text's next token brings new ones.
        return forest.plan(end, forest[end].size(), age, lane_->batch()) != Planned::whole;
    });
    const size_t rows = lane_->batch().rows.size();
    if (rows == 0) return false;
    for (const Request * request : open) {
        const Node & end = forest[end_of(*request)];
        const double uniform = uniform_at(request->key, static_cast<uint32_t>(end.end()));
        lane_->asks().push_back({end.row, Draw{request->sampler, uniform}});
    }
    ++stats.draft_decodes;
    const DecodeStatus status = lane_->decode();
    if (status != DecodeStatus::ok) {
        for (Request * request : asked) request->copy.failed = status != DecodeStatus::aborted;
        return false;
    }
    stats.draft_tokens += static_cast<int64_t>(rows);
    std::vector<Request *> going_on;
    for (size_t i = 0; i < open.size(); ++i) {
        const Token token = lane_->answers()[i].token;
        if (token < 0 || lane_->model->is_end(token)) continue;
        NodeRef & guess = open[i]->copy.guess;
        if (guess) {
            forest.append(guess.id(), token);
        } else {
            guess = NodeRef(forest, forest.add_draft(end_of(*open[i]), {token}));
        }
        going_on.push_back(open[i]);
    }
    open = std::move(going_on);
    return !open.empty();
}

}  // namespace thinktree
