#include "backend/llama/loading.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "backend/llama/architecture.h"
#include "backend/llama/assertions.h"
#include "backend/llama/context_params.h"
#include "backend/llama/logging.h"
#include "backend/llama/memory.h"
#include "base/error.h"
#include "llama.h"

namespace thinktree {

namespace {

// Of the smallest cache there is, with one state if there are states. How large one cell is, the metadata say more or
// less: a hostile file's must not be made to find it out.
double smallest_cache(const GgufFile & file) {
    const auto most = [&](const char * key, int64_t otherwise) {
        const std::vector<int64_t> values = file.list(key);
        return static_cast<double>(values.empty() ? otherwise : *std::max_element(values.begin(), values.end()));
    };
    const double heads = most(".attention.head_count", 1);
    const double width = most(".embedding_length", 1) / std::max(heads, 1.0);
    const double cell = most(".block_count", 1) * most(".attention.head_count_kv", static_cast<int64_t>(heads)) *
                        (most(".attention.key_length", static_cast<int64_t>(width)) +
                         most(".attention.value_length", static_cast<int64_t>(width)));
    const double of_head = std::max(most(".kda.head_dim", 0), most(".attention.key_length", 0));
    const double state = most(".embedding_length", 1) * (most(".wkv.head_size", 0) + most(".shortconv.l_cache", 0)) +
                         most(".ssm.inner_size", 0) * (most(".ssm.state_size", 0) + most(".ssm.conv_kernel", 0)) +
                         heads * of_head * of_head;
    const bool has_states = memory_kind(file) != MemoryKind::cells;
    return smallest_cells * 2.0 * cell + (has_states ? sizeof(float) * most(".block_count", 1) * state : 0);
}

}  // namespace

void prepare_llama() {
    static std::once_flag once;
    std::call_once(once, [] {
        LogErrors::install();
        CatchAssertions::install();
        llama_backend_init();
    });
}

void assert_fits(double bytes, const std::string & what) {
    double memory = 0;
    for (const Device & device : devices()) memory += static_cast<double>(device.total);
    if (memory == 0 || bytes <= memory) return;
    const auto gib = [](double value) { return std::to_string(static_cast<int64_t>(value / (1 << 30)) + 1) + " GiB"; };
    throw Error(ErrorCode::model_load_failed, what + " takes " + gib(bytes) + ", all memory is " + gib(memory));
}

ModelPtr open_model(const std::string & path, const GgufFile & file, int32_t gpu_layers, Weights weights) {
    if (const auto why = unfit(file)) throw Error(ErrorCode::unsupported_model, *why);
    file.check(memory_kind(file));
    assert_fits(smallest_cache(file), "its smallest KV cache");

    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = gpu_layers;
    // Without layers there, llama.cpp would still send the larger products to a GPU, and attention with them.
    ggml_backend_dev_t no_devices[] = {nullptr};
    if (gpu_layers == 0) params.devices = no_devices;
    if (weights == Weights::left_out) {
        params.no_alloc = true;
        params.load_mode = LLAMA_LOAD_MODE_NONE;
    }
    const CatchAssertions catching;
    const LogErrors log;
    ModelPtr model(llama_model_load_from_file(path.c_str(), params));
    if (!model) throw Error(ErrorCode::model_load_failed, "llama.cpp refused it: " + log.first());
    if (llama_model_has_encoder(model.get()) || !llama_model_has_decoder(model.get())) {
        throw Error(ErrorCode::unsupported_model, "not a decoder-only language model");
    }
    const llama_vocab * vocabulary = llama_model_get_vocab(model.get());
    if (llama_vocab_type(vocabulary) == LLAMA_VOCAB_TYPE_NONE || llama_vocab_n_tokens(vocabulary) == 0) {
        throw Error(ErrorCode::unsupported_model, "the model has no vocabulary");
    }
    return model;
}

}  // namespace thinktree
