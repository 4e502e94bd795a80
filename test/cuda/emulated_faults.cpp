// What RowAnswers does when a call of CUDA's fails: only an emulation fails to order.
#include <cuda_runtime_api.h>

#include "../native/harness.h"
#include "kernels/cuda/row_answers.h"

using namespace thinktree;

TEST(whatever_call_of_a_device_fails_there_are_no_answers_and_nothing_leaks) {
    const std::vector<float> logits(64, 0.5f);
    const LogitRows rows{logits.data(), 64, 64};
    const std::vector<Ask> asks{{0, PairProbability{1, 2}}};
    auto & runtime = emulate::Runtime::get();
    int calls = 0;
    for (int failing = 0; failing == 0 || failing < calls; ++failing) {
        runtime.calls = 0;
        runtime.failing_call = failing;
        {
            RowAnswers answers;
            CHECK(!answers.read(rows, asks, 3, nullptr));
            CHECK_EQ(runtime.device, 3);
            CHECK(answers.answers().empty());
            CHECK(runtime.submitted.empty());
            // The next decode may do better.
            CHECK(answers.read(rows, asks, 3, nullptr));
            CHECK_EQ(answers.answers().size(), 1u);
            CHECK_EQ(answers.answers()[0].value, 0.5f);
        }
        CHECK(runtime.on_host.empty() && runtime.on_device.empty());
        runtime.calls = 0;
        runtime.failing_call = -1;
        RowAnswers answers;
        CHECK(answers.read(rows, asks, 0, nullptr));
        calls = runtime.calls;
    }
    CHECK_EQ(calls, 7);
}
