// Owns: how tests have RowAnswers read rows, on a device (device_answers.cpp) or in an emulation (emulated.cpp).
// Must not know: which. Thread: the test's. (Not in runner.h, since this is C++20, and CUDA's compiler may not be.)
#pragma once

#include "kernels/cuda/row_answers.h"
#include "runner.h"

namespace thinktree::runner {

// What RowAnswers::read says.
bool read(RowAnswers & answers, const Rows & rows, const std::vector<Ask> & asks);

}  // namespace thinktree::runner
