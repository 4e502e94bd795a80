#include "backend/llama/thread_team.h"

#include <new>

namespace thinktree {

ThreadTeam::ThreadTeam(ggml_threadpool * pool, int threads) {
    const ggml_init_params memory{
        .mem_size = 4 * ggml_tensor_overhead() + ggml_graph_overhead_custom(1, false),
        .mem_buffer = nullptr,
        .no_alloc = true,
    };
    context_.reset(ggml_init(memory));
    if (!context_) throw std::bad_alloc();
    const ggml_custom_op_t call = [](ggml_tensor *, int thread, int, void * self) {
        auto & team = *static_cast<ThreadTeam *>(self);
        try {
            (*team.work_)(static_cast<size_t>(thread));
        } catch (...) {  // must not go through ggml's C
            team.threw_ = true;
        }
    };
    ggml_tensor * node = ggml_custom_4d(context_.get(), GGML_TYPE_F32, 1, 1, 1, 1, nullptr, 0, call, threads, this);
    graph_ = ggml_new_graph_custom(context_.get(), 1, false);
    ggml_build_forward_expand(graph_, node);
    plan_ = ggml_graph_plan(graph_, threads, pool);
}

bool ThreadTeam::run(const std::function<void(size_t)> & work) {
    work_ = &work;
    threw_ = false;
    ggml_graph_compute(graph_, &plan_);
    return !threw_;
}

}  // namespace thinktree
