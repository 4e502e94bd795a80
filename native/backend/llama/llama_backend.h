// Owns: the real backend, llama.cpp. The only header of native/ through which its code is reached.
// Must not know: branches, steps, sampling. Thread: as backend.h says.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace thinktree {

struct AdapterFile {
    std::string path;  // a GGUF file with a LoRA
    float scale = 1;
};

struct ModelFile {
    std::string path;         // a GGUF file
    int32_t gpu_layers = -1;  // layers on the GPU if the build has one; negative: all; 0: no GPU is used
    std::vector<AdapterFile> adapters{};
};

class Threadpools;

// Files into models. Those of one file are views of the same weights, each with its own adapters. The contexts of all
// of them compute with the same threads, so one thread uses them, one at a time.
class LlamaModels {
public:
    LlamaModels();
    ~LlamaModels();

    // Throws Error (model_load_failed, unsupported_model). Takes as long as reading the file.
    std::shared_ptr<const Model> load(const ModelFile & file);

private:
    struct Opened;
    // By real path and layers.
    std::map<std::pair<std::string, int32_t>, std::unique_ptr<Opened>> opened_;
    std::shared_ptr<Threadpools> pools_;
};

}  // namespace thinktree
