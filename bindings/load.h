// Owns: reading the engine's options object, and making the models it names. lib/engine/options.ts has validated it.
// Must not know: search. Thread: read_options on the JavaScript thread, load on the scheduler thread.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "backend/llama/llama_backend.h"
#include "reading.h"
#include "scheduler/scheduler.h"

namespace thinktree {

struct ModelOptions {
    std::optional<ModelFile> file;  // none: the fake model
    FakeOptions fake;
};

struct EngineOptions {
    ModelOptions generator;
    std::optional<ModelOptions> verifier;
    ReadingOptions reading;                 // of the verifier
    std::optional<ModelOptions> reference;  // likewise
    bool judges = false;                    // it is asked and writes: of the reading only the pair counts
    bool on_generator = false;              // there is no such model: the reading is of the generator's own states
    std::optional<ModelOptions> draft;
    DraftOptions drafting;
    ContextOptions context;
    bool restorable = false;  // completions tell what an engine that takes over needs
    int32_t kv_mib = 0;       // of all caches together; 0: each has context.cells
};

// What JavaScript learns of a model once it is loaded.
struct ModelInfo {
    int64_t parameters = 0;
    int32_t vocabulary = 0;
    int32_t positions = 0;
    int32_t kv_cells = 0;
    int32_t width = 0;
    int64_t loaded_bytes = 0;
    std::string reading;                                      // of a verifier: how its scores are read
    std::vector<std::pair<std::string, std::string>> recipe;  // the GGUF's thinktree.* strings, without the prefix
};

struct LoadedInfo {
    ModelInfo generator;
    std::optional<ModelInfo> verifier;
    std::optional<ModelInfo> reference;
    std::optional<ModelInfo> draft;
};

EngineOptions read_options(const Napi::Object & options);
Lanes load(const EngineOptions & options, const std::function<bool()> & should_abort, LoadedInfo & info);

}  // namespace thinktree
