#include "backend/llama/memory.h"

#include "backend/llama/context_params.h"
#include "ggml-backend.h"
// Not public, and so as it is in the pinned release.
#include "llama-ext.h"

namespace thinktree {

MemoryUse memory_of(const llama_context * context) {
    MemoryUse use;
    for (const auto & [type, bytes] : llama_get_memory_breakdown(context)) {
        use.weights += static_cast<int64_t>(bytes.model);
        use.cache += static_cast<int64_t>(bytes.context);
        use.buffers += static_cast<int64_t>(bytes.compute);
    }
    return use;
}

CacheBytes cache_bytes(const llama_model * model, int64_t smallest,
                       const std::function<int64_t()> & with_twice_the_cells) {
    if (llama_model_is_recurrent(model)) return {0, smallest};
    if (!llama_model_is_hybrid(model)) return {smallest / smallest_cells, 0};
    const int64_t cell = (with_twice_the_cells() - smallest) / smallest_cells;
    return {cell, smallest - cell * smallest_cells};
}

std::vector<Device> devices() {
    std::vector<Device> found;
    for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        const enum ggml_backend_dev_type type = ggml_backend_dev_type(device);
        if (type != GGML_BACKEND_DEVICE_TYPE_CPU && type != GGML_BACKEND_DEVICE_TYPE_GPU &&
            type != GGML_BACKEND_DEVICE_TYPE_IGPU) {
            continue;  // an accelerator works in the host's memory
        }
        size_t free = 0, total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        found.push_back({ggml_backend_dev_name(device), ggml_backend_dev_description(device),
                         type != GGML_BACKEND_DEVICE_TYPE_CPU, static_cast<int64_t>(total),
                         static_cast<int64_t>(free)});
    }
    return found;
}

}  // namespace thinktree
