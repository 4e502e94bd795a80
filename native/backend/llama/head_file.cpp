#include "backend/llama/head_file.h"

#include <algorithm>
#include <memory>

#include "backend/llama/assertions.h"
#include "backend/llama/gguf_file.h"
#include "backend/llama/handles.h"
#include "base/error.h"
#include "ggml.h"
#include "gguf.h"

namespace thinktree {

namespace {

constexpr size_t most_layers = 8;

std::vector<float> floats_of(const ggml_tensor & tensor) {
    std::vector<float> floats(static_cast<size_t>(ggml_nelements(&tensor)));
    const ggml_to_float_t to_float = ggml_get_type_traits(tensor.type)->to_float;
    if (tensor.type == GGML_TYPE_F32) {
        std::copy_n(static_cast<const float *>(tensor.data), floats.size(), floats.data());
    } else {
        to_float(tensor.data, floats.data(), static_cast<int64_t>(floats.size()));
    }
    return floats;
}

}  // namespace

std::vector<RewardHead::Layer> load_head(const std::string & path) {
    const auto fail = [&](const std::string & why) -> Error {
        return {ErrorCode::model_load_failed, "cannot load the reward head " + path + ": " + why};
    };
    std::string kind;
    try {
        kind = GgufFile(path).architecture();
    } catch (const Error & error) {
        throw fail(error.what());
    }
    if (kind != "thinktree-head") throw fail("it holds no reward head; `thinktree import-prm` makes one");
    const CatchAssertions catching;
    ggml_context * tensors = nullptr;
    const std::unique_ptr<gguf_context, Deleter<gguf_free>> file(gguf_init_from_file(path.c_str(), {false, &tensors}));
    const std::unique_ptr<ggml_context, Deleter<ggml_free>> owner(tensors);
    if (!file || !owner) throw fail("its tensors cannot be read");
    std::vector<RewardHead::Layer> layers;
    for (size_t i = 0; i < most_layers; ++i) {
        const std::string name = "head." + std::to_string(i);
        const ggml_tensor * weight = ggml_get_tensor(owner.get(), (name + ".weight").c_str());
        const ggml_tensor * bias = ggml_get_tensor(owner.get(), (name + ".bias").c_str());
        if (weight == nullptr) break;
        for (const ggml_tensor * tensor : {weight, bias}) {
            if (tensor == nullptr || tensor->type == GGML_TYPE_F32) continue;
            if (ggml_get_type_traits(tensor->type)->to_float == nullptr) throw fail("a type that cannot be read");
        }
        layers.push_back({static_cast<size_t>(weight->ne[0]), static_cast<size_t>(weight->ne[1]), floats_of(*weight),
                          bias == nullptr ? std::vector<float>() : floats_of(*bias)});
    }
    if (layers.empty()) throw fail("it has no tensor head.0.weight");
    return layers;
}

}  // namespace thinktree
