// Owns: on which device and stream a CUDA backend of ggml computes, so that work can be submitted behind its graphs.
// Must not know: what for. Thread: the one that submits ggml graphs.
#pragma once

#include <optional>

struct CUstream_st;
struct ggml_backend;

namespace thinktree {

struct DeviceStream {
    int device;
    CUstream_st * stream;
};

// None if the backend is not CUDA's.
std::optional<DeviceStream> stream_of(ggml_backend * backend);

}  // namespace thinktree
