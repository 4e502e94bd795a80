// The generator's part for steps that it does not write: prompts, contexts, steps that are given or were written
// before.
#include <algorithm>
#include <utility>

#include "scheduler/continuation.h"
#include "scheduler/generator.h"
#include "scheduler/step_text.h"

namespace thinktree {

// For the ledger: its tokens have been decoded before.
static void count_again(Node & node) { node.ever_computed = node.size(); }

std::shared_ptr<Step> Generator::open(Search & search, const Text & prompt, bool again) {
    std::vector<Token> tokens = lane_->model->tokenize(prompt, true);
    const auto blank = [](const TextPart & part) { return first_word(part.text) == std::string::npos; };
    if (tokens.empty() || std::all_of(prompt.begin(), prompt.end(), blank)) {
        throw Error(ErrorCode::empty_prompt, "the prompt is empty");
    }
    const int32_t positions = lane_->context->limits().positions;
    if (static_cast<int64_t>(tokens.size()) >= positions) {
        throw Error(ErrorCode::context_exceeded, "the prompt has " + std::to_string(tokens.size()) +
                                                     " tokens, the context holds " + std::to_string(positions) +
                                                     ": shorten it or use a model with a longer context");
    }
    auto step = std::make_shared<Step>();
    step->search = &search;
    step->given = true;
    step->again = again;
    TokenForest & forest = lane_->forest;
    const Token last = tokens.back();
    tokens.pop_back();
    if (tokens.empty()) {
        step->node = NodeRef(forest, forest.add_root({last}, search.generator_usage));
    } else {  // its last token is a node of its own, so that it can be decoded again without the rest: HiddenStates
        const NodeRef before(forest, forest.add_root(std::move(tokens), search.generator_usage));
        if (again) count_again(*before);
        step->node = NodeRef(forest, forest.add_child(before.id(), {last}, true));
    }
    if (again) count_again(*step->node);
    step->solution_start = step->node->end();
    return step;
}

std::shared_ptr<Step> Generator::condition(const Branch & branch, const Text & text, bool again) {
    const std::shared_ptr<Step> & from = branch.step;
    // Where a stop string ended the attempt, its tokens are no part of what is read on.
    Step & above = from->cut ? *from->parent->place : *from->place;
    Text words = from->cut ? plain_text(from->text) : Text();
    words.insert(words.end(), text.begin(), text.end());
    std::vector<Token> tokens = lane_->model->tokenize(words, false);
    auto step = std::make_shared<Step>();
    step->parent = from;
    step->search = branch.search;
    step->given = true;
    step->again = again;
    for (const TextPart & part : text) step->text += part.text;
    if (tokens.empty()) {
        step->place = &above;
    } else {
        step->node = NodeRef(lane_->forest, lane_->forest.add_child(above.node.id(), std::move(tokens), true));
        if (again) count_again(*step->node);
    }
    step->solution_start = step->place->node->end();
    return step;
}

void Generator::write(Branch & branch, const std::string & text, bool last, bool again) {
    const TokenForest & forest = lane_->forest;
    const std::string letters = letters_before(forest, branch.step->place->node.id(), *lane_->model);
    std::vector<Token> tokens = tokens_after(*lane_->model, letters, plain_text(text), 0).tokens;
    std::shared_ptr<Step> step = add_step(branch.step, std::move(tokens), true, again);
    step->text = text;
    step->last = branch.finished = last;
    ahead_.drop(branch);
    stand(branch, std::move(step));
}

void Generator::restore(Branch & branch, WrittenStep written) {
    const std::shared_ptr<Step> above = branch.step;
    auto & restored = branch.search->restored;
    const auto [first, last] = restored.equal_range(above.get());
    for (auto at = first; at != last; ++at) {
        std::shared_ptr<Step> like = at->second.lock();
        if (!like || like->cut != written.cut || like->last != written.last || like->text != written.text ||
            like->tokens() != written.tokens)
            continue;
        return stand(branch, std::move(like));
    }
    std::shared_ptr<Step> step = add_step(above, std::move(written.tokens), false, true);
    step->text = std::move(written.text);
    step->cut = written.cut;
    step->last = written.last;
    step->verified_again = written.scored;
    restored.emplace(above.get(), step);
    stand(branch, std::move(step));
}

std::shared_ptr<Step> Generator::add_step(const std::shared_ptr<Step> & above, std::vector<Token> tokens, bool given,
                                          bool again) {
    TokenForest & forest = lane_->forest;
    auto step = std::make_shared<Step>();
    step->parent = above;
    step->search = above->search;
    step->again = again;
    step->node = NodeRef(forest, forest.add_child(above->place->node.id(), std::move(tokens), given));
    if (again) count_again(*step->node);
    step->solution_start = above->solution_start;
    above->expect_readings();
    return step;
}

}  // namespace thinktree
