#include "sampling/row_reader.h"

#include <optional>

namespace thinktree {

void answer(std::span<const Ask> asks, const OutputRow & row, Sampler & sampler, std::span<Answer> answers) {
    const std::span<const float> logits = row.logits;
    const SamplerOptions * read = nullptr;
    std::optional<LogSoftmax> softmax;
    for (size_t i = 0; i < asks.size(); ++i) {
        if (const Draw * draw = std::get_if<Draw>(&asks[i].what)) {
            if (read == nullptr || *read != draw->options) sampler.read(logits, draw->options);
            read = &draw->options;
            const Sample sample = sampler.draw(draw->uniform);
            answers[i] = {sample.token, sample.log_probability};
        } else if (const LogProbability * known = std::get_if<LogProbability>(&asks[i].what)) {
            if (!softmax) softmax.emplace(logits);
            answers[i].value = (*softmax)(known->token);
        } else if (const PairProbability * pair = std::get_if<PairProbability>(&asks[i].what)) {
            answers[i].value = pair_probability(logits, pair->a, pair->b);
        } else {
            answers[i].value = (*std::get<Reward>(asks[i].what).head)(row.hidden);
        }
    }
}

void RowReader::begin(std::span<const Ask> asks, std::span<const OutputRow> rows) {
    asks_ = asks;
    rows_ = rows;
    answers_.assign(asks.size(), {});
    ends_.clear();
    for (size_t i = 1; i <= asks.size(); ++i) {
        if (i == asks.size() || asks[i].row != asks[i - 1].row) ends_.push_back(i);
    }
    next_ = 0;
}

void RowReader::work(size_t thread) {
    for (size_t run = next_++; run < ends_.size(); run = next_++) {
        const size_t begin = run == 0 ? 0 : ends_[run - 1];
        const std::span<const Ask> asks = asks_.subspan(begin, ends_[run] - begin);
        const OutputRow & row = rows_[static_cast<size_t>(asks.front().row)];
        answer(asks, row, samplers_[thread], std::span(answers_).subspan(begin, asks.size()));
    }
}

}  // namespace thinktree
