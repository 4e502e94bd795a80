// Owns: how much memory a model and its context take, as llama.cpp counts it, and how much there is.
// Must not know: who asks. Thread: the one that made the context.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct llama_context;

namespace thinktree {

// In bytes, on all devices together.
struct MemoryUse {
    int64_t weights = 0;
    int64_t cache = 0;    // KV cells
    int64_t buffers = 0;  // what a decode works in
};
MemoryUse memory_of(const llama_context * context);

struct Device {
    std::string name;
    std::string description;
    bool gpu;
    int64_t total;
    int64_t free;
};
std::vector<Device> devices();

}  // namespace thinktree
