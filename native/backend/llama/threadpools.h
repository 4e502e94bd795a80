// Owns: the threads that an engine's contexts compute with. Must not know: what they compute.
// Thread: the one that makes contexts; a pool's contexts are then used by one thread, one at a time.
//
// A pool's workers spin for a tenth of a second after a graph, waiting for the next. Were there a pool for each
// context, those of the verifier would take the processors from the generator's while it decodes, and the other way
// round.
#pragma once

#include <map>
#include <memory>

#include "base/error.h"
#include "ggml-cpu.h"

namespace thinktree {

using SharedThreadpool = std::shared_ptr<ggml_threadpool>;

class Threadpools {
public:
    // The same for all who ask for as many threads, for as long as anyone has it.
    SharedThreadpool of(int32_t threads) {
        std::weak_ptr<ggml_threadpool> & known = pools_[threads];
        if (SharedThreadpool pool = known.lock()) return pool;
        ggml_threadpool_params params = ggml_threadpool_params_default(threads);
        ggml_threadpool * const made = ggml_threadpool_new(&params);
        if (made == nullptr) throw Error(ErrorCode::model_load_failed, "no threads for the model");
        SharedThreadpool pool(made, ggml_threadpool_free);
        known = pool;
        return pool;
    }

private:
    std::map<int32_t, std::weak_ptr<ggml_threadpool>> pools_;
};

}  // namespace thinktree
