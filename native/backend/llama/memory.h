// Owns: how much memory a model and its context take, as llama.cpp counts it, and how much there is.
// Must not know: who asks. Thread: the one that made the context.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

struct llama_context;
struct llama_model;

namespace thinktree {

// In bytes, on all devices together.
struct MemoryUse {
    int64_t weights = 0;
    int64_t cache = 0;    // KV cells and recurrent states
    int64_t buffers = 0;  // what a decode works in
};
MemoryUse memory_of(const llama_context * context);

// What a cache is made of, all layers together.
struct CacheBytes {
    int64_t cell = 0;   // one KV cell; 0: there is no attention
    int64_t state = 0;  // one recurrent state, of floats whatever the cells are; 0: there is none
};
// Of a model whose smallest cache takes `smallest` bytes, and `with_twice_the_cells` as it says, each with one
// sequence.
CacheBytes cache_bytes(const llama_model * model, int64_t smallest,
                       const std::function<int64_t()> & with_twice_the_cells);

struct Device {
    std::string name;
    std::string description;
    bool gpu;
    int64_t total;
    int64_t free;
};
std::vector<Device> devices();

}  // namespace thinktree
