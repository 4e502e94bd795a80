// Owns: where llama.cpp's CUDA backend meets our attention kernel (native/cmake/llama_patch.cmake patches the calls
// in). Must not know: how attention is computed, what the plan says. Thread: the one that submits ggml graphs.
#pragma once

struct ggml_tensor;
struct ggml_backend_cuda_context;

namespace thinktree {

// Whether the node's fourth source holds a tree plan rather than a mask.
bool carries_tree_plan(const ggml_tensor * attention);

// Where not, ggml's scheduler gives the node to another backend: the CPU reads the same plan.
bool supports_tree_attention(int device, const ggml_tensor * attention);

// Submits the node to the context's stream.
void tree_attention(ggml_backend_cuda_context & context, ggml_tensor * attention);

}  // namespace thinktree
