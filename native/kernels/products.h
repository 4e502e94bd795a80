// Owns: what llama.cpp asks of our matrix products. Must not know: how they are made. Thread: ggml's compute threads.
// C, since ggml includes it.
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ggml_compute_params;
struct ggml_tensor;

// Whether a matrix product is one that quant_products.h makes.
bool thinktree_multiplies(const struct ggml_tensor * product);

// All compute threads call it, as they would llama.cpp's own.
void thinktree_multiply(const struct ggml_compute_params * params, struct ggml_tensor * product);

#ifdef __cplusplus
}
#endif
