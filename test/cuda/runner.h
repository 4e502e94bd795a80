// Owns: how tests have kernels run, on a device (device.cu) or in an emulation (emulated.cpp). Must not know: which.
// Thread: the test's. What kernels do not write is NaN, or a token that no row has.
#pragma once

#include <cstdint>
#include <vector>

#include "attention_case.h"
#include "kernels/cuda/sample_rows.h"

namespace thinktree::runner {

// By row and head. `seed`: of the order in which an emulation runs a block's threads.
std::vector<float> attend(const AttentionCase & attention, uint32_t seed);

struct Rows {
    std::vector<float> logits;
    int entries;
};

std::vector<Drawn> draw(const Rows & rows, const std::vector<DrawOfRow> & draws, uint32_t seed);
std::vector<float> log_probabilities(const Rows & rows, const std::vector<TokenOfRow> & tokens);
std::vector<float> pair_probabilities(const Rows & rows, const std::vector<PairOfRow> & pairs);

}  // namespace thinktree::runner
