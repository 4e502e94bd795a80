// Owns: what kernels include, from CUDA or, in test/cuda, from an emulation that runs them on a CPU.
// Must not know: any kernel. Runs on the device.
#pragma once

#ifdef __CUDACC__
#include <cuda_fp16.h>
#include <cuda_pipeline_primitives.h>
#include <mma.h>

namespace thinktree {

// The memory that a launch asks for beyond what its kernel declares.
inline __device__ unsigned char * block_memory() {
    extern __shared__ __align__(128) unsigned char memory[];
    return memory;
}

}  // namespace thinktree
#else
#include "emulate.h"
#endif
