#include "sampling/reward_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/error.h"

namespace thinktree {

namespace {

// In lanes, since a compiler may not change the order of a sum of floats.
float dot(const float * a, const float * b, size_t n) {
    constexpr size_t lanes = 16;
    std::array<float, lanes> sums{};
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        for (size_t lane = 0; lane < lanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
    }
    float sum = 0;
    for (const float part : sums) sum += part;
    for (; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

}  // namespace

RewardHead::RewardHead(std::vector<Layer> layers, Activation activation, std::vector<size_t> classes)
    : layers_(std::move(layers)), activation_(activation), classes_(std::move(classes)) {
    const auto refuse = [](const std::string & why) {
        throw Error(ErrorCode::invalid_option, "the reward head " + why);
    };
    if (layers_.empty()) refuse("has no layers");
    for (size_t i = 0; i < layers_.size(); ++i) {
        const Layer & layer = layers_[i];
        if (layer.inputs == 0 || layer.weights.size() != layer.inputs * layer.outputs ||
            (!layer.bias.empty() && layer.bias.size() != layer.outputs)) {
            refuse("has a layer whose bias does not fit its weights");
        }
        if (i > 0 && layer.inputs != layers_[i - 1].outputs) refuse("has layers that do not fit each other");
    }
    const size_t outputs = layers_.back().outputs;
    if (classes_.empty() || (activation == Activation::sigmoid && classes_.size() > 1) ||
        std::any_of(classes_.begin(), classes_.end(), [&](size_t c) { return c >= outputs; })) {
        refuse("has " + std::to_string(outputs) + " outputs, and its recipe reads others");
    }
}

float RewardHead::operator()(std::span<const float> hidden) const {
    std::vector<float> state(hidden.begin(), hidden.end());
    for (size_t i = 0; i < layers_.size(); ++i) {
        const Layer & layer = layers_[i];
        std::vector<float> next(layer.outputs);
        for (size_t o = 0; o < layer.outputs; ++o) {
            next[o] = dot(&layer.weights[o * layer.inputs], state.data(), layer.inputs);
            if (!layer.bias.empty()) next[o] += layer.bias[o];
            if (i + 1 < layers_.size()) next[o] = std::max(next[o], 0.0f);
        }
        state = std::move(next);
    }
    if (activation_ == Activation::sigmoid) return 1.0f / (1.0f + std::exp(-state[classes_.front()]));
    const float top = *std::max_element(state.begin(), state.end());
    float all = 0, read = 0;
    for (size_t c = 0; c < state.size(); ++c) {
        const float share = std::exp(state[c] - top);
        all += share;
        if (std::find(classes_.begin(), classes_.end(), c) != classes_.end()) read += share;
    }
    return read / all;
}

}  // namespace thinktree
