// Owns: having RowAnswers read rows on a CUDA device. Must not know: the tests. Thread: theirs.
#include <cuda_runtime_api.h>

#include "answers_runner.h"

namespace thinktree::runner {

bool read(RowAnswers & answers, const Rows & rows, const std::vector<Ask> & asks) {
    const size_t bytes = rows.logits.size() * sizeof(float);
    void * logits = nullptr;
    cudaStream_t stream = nullptr;
    const bool ready = cudaSetDevice(0) == cudaSuccess && cudaMalloc(&logits, bytes) == cudaSuccess &&
                       cudaMemcpy(logits, rows.logits.data(), bytes, cudaMemcpyHostToDevice) == cudaSuccess &&
                       cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess;
    const bool good =
        ready && answers.read({static_cast<const float *>(logits), rows.entries, rows.entries}, asks, 0, stream);
    if (stream != nullptr) cudaStreamDestroy(stream);
    cudaFree(logits);
    return good;
}

}  // namespace thinktree::runner
