// Owns: the way from a file to llama.cpp's model: nothing reaches it unchecked, whatever goes wrong is an Error.
// Must not know: contexts, who asks. Thread: any; takes as long as reading the file.
#pragma once

#include <cstdint>
#include <string>

#include "backend/llama/gguf_file.h"
#include "backend/llama/handles.h"

namespace thinktree {

// Once a process is enough, before anything else of llama.cpp.
void prepare_llama();

enum class Weights { loaded, left_out };

// Throws Error (model_load_failed, unsupported_model). A model whose weights are left out cannot decode; it and its
// contexts know how much memory they would take.
ModelPtr open_model(const std::string & path, const GgufFile & file, int32_t gpu_layers, Weights weights);

// Throws Error (model_load_failed): where the system grants memory that it has not, it ends a process that uses it.
void assert_fits(double bytes, const std::string & what);

}  // namespace thinktree
