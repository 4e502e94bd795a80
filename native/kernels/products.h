// Owns: what llama.cpp asks of our matrix products. Must not know: how they are made. Thread: ggml's compute threads.
// C, since ggml includes it.
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ggml_compute_params;
struct ggml_tensor;

// Whether weights of a type (an enum ggml_type) are multiplied by quant_products.h on this processor.
bool thinktree_multiplies_type(int type);

// Whether a matrix product is one that it makes.
bool thinktree_multiplies(const struct ggml_tensor * product);

// All compute threads call it, as they would llama.cpp's own.
void thinktree_multiply(const struct ggml_compute_params * params, struct ggml_tensor * product);

#ifdef __cplusplus
}
#endif
