// Owns: the real backend, llama.cpp. The only header of native/ through which its code is reached.
// Must not know: branches, steps, sampling. Thread: as backend.h says.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace thinktree {

struct ModelFile {
    std::string path;         // a GGUF file
    int32_t gpu_layers = -1;  // layers on the GPU if the build has one; negative: all; 0: no GPU is used
};

// Throws Error (model_load_failed, unsupported_model). Takes as long as reading the file.
std::shared_ptr<const Model> load_llama_model(const ModelFile & file);

}  // namespace thinktree
