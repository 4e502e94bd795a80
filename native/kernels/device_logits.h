// Owns: the offer that a decode makes before it copies logits from a device to the host (llama.patch makes it).
// Must not know: who takes it. Thread: the one that decodes.
#pragma once

struct ggml_backend;
struct ggml_tensor;

namespace thinktree {

class TakesLogits {
public:
    // All of a decode's rows, in the order of its outputs; they are there once the backend has come so far, until the
    // next decode. True: they are read there, and llama.cpp need not copy them.
    virtual bool take(ggml_backend * backend, const ggml_tensor * logits) = 0;

protected:
    ~TakesLogits() = default;
};

// Whom a decode of this thread asks; nobody: all logits are copied.
inline thread_local TakesLogits * takes_logits = nullptr;

}  // namespace thinktree
