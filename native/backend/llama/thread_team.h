// Owns: running one function on all threads of a ggml threadpool, which are awake right after a decode.
// Must not know: what the function does. Thread: the scheduler thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "ggml-cpu.h"

namespace thinktree {

class ThreadTeam {
public:
    // The pool must not compute anything else meanwhile.
    ThreadTeam(ggml_threadpool * pool, int threads);

    // Calls `work` with 0, 1, ... threads - 1, each on a thread of its own, and returns when all have returned. False
    // if one of them threw.
    bool run(const std::function<void(size_t thread)> & work);

private:
    struct Free {
        void operator()(ggml_context * context) const { ggml_free(context); }
    };
    std::unique_ptr<ggml_context, Free> context_;
    ggml_cgraph * graph_ = nullptr;  // of one node, which calls `work_`
    ggml_cplan plan_{};
    const std::function<void(size_t)> * work_ = nullptr;
    std::atomic<bool> threw_{false};
};

}  // namespace thinktree
