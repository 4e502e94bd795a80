// Owns: a reward head: a small net from a model's final hidden state to a score in [0, 1].
// Must not know: models, rows, files. Thread: any; it does not change.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace thinktree {

class RewardHead {
public:
    struct Layer {
        size_t inputs, outputs;
        std::vector<float> weights;  // inputs floats an output
        std::vector<float> bias;     // one an output, or none
    };
    enum class Activation { sigmoid, softmax };

    // Between two layers is a ReLU. `classes`: of a softmax, those whose probabilities are summed; of a sigmoid, the
    // one output that is read. Throws Error (invalid_option) where sizes do not fit each other.
    RewardHead(std::vector<Layer> layers, Activation activation, std::vector<size_t> classes);

    size_t width() const { return layers_.front().inputs; }
    float operator()(std::span<const float> hidden) const;

private:
    std::vector<Layer> layers_;
    Activation activation_;
    std::vector<size_t> classes_;
};

}  // namespace thinktree
