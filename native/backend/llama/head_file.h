// Owns: reading a reward head's layers off its sidecar: a GGUF with general.architecture "thinktree-head" and tensors
// head.N.weight (inputs x outputs, outermost last) and, perhaps, head.N.bias, N from 0.
// Must not know: what is read from a head. Thread: any.
#pragma once

#include <string>
#include <vector>

#include "sampling/reward_head.h"

namespace thinktree {

// Throws Error (model_load_failed).
std::vector<RewardHead::Layer> load_head(const std::string & path);

}  // namespace thinktree
