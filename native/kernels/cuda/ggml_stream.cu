#include "ggml_stream.h"

#include "ggml-backend-impl.h"
#include "ggml-cuda.h"
#include "ggml-cuda/common.cuh"

namespace thinktree {

std::optional<DeviceStream> stream_of(ggml_backend * backend) {
    if (!ggml_backend_is_cuda(backend)) return std::nullopt;
    auto * context = static_cast<ggml_backend_cuda_context *>(backend->context);
    return DeviceStream{context->device, context->stream()};
}

}  // namespace thinktree
