// What a GPU that knows nothing of tree plans is spared: a backend that stands for Vulkan, Metal and the like, and that
// notices whoever wants to use it.
#include <cstdlib>
#include <stdexcept>

#include "../native/harness.h"
#include "backend/llama/adapters.h"
#include "backend/llama/handles.h"
#include "backend/llama/llama_backend.h"
#include "backend/llama/trial.h"
#include "ggml-backend-impl.h"

namespace {

using namespace thinktree;

class StrangeGpu {
public:
    StrangeGpu() {
        used = 0;
        device_.reg = &registry_;
        device_.iface.get_name = device_.iface.get_description = [](ggml_backend_dev_t) { return "Strange0"; };
        device_.iface.get_memory = [](ggml_backend_dev_t, size_t * free, size_t * all) { *free = *all = 1 << 30; };
        device_.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; };
        device_.iface.get_props = [](ggml_backend_dev_t, ggml_backend_dev_props * props) {
            *props = {};
            props->name = props->description = "Strange0";
            props->type = GGML_BACKEND_DEVICE_TYPE_GPU;
        };
        device_.iface.init_backend = [](ggml_backend_dev_t, const char *) -> ggml_backend_t { return use(nullptr); };
        device_.iface.get_buffer_type = [](ggml_backend_dev_t) { return use(ggml_backend_cpu_buffer_type()); };
        device_.iface.supports_op = [](ggml_backend_dev_t, const ggml_tensor *) { return use(true); };
        device_.iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t) { return use(true); };
        device_.iface.offload_op = [](ggml_backend_dev_t, const ggml_tensor *) { return use(true); };
        registry_.api_version = GGML_BACKEND_API_VERSION;
        registry_.iface.get_name = [](ggml_backend_reg_t) { return "Strange"; };
        registry_.iface.get_device_count = [](ggml_backend_reg_t) { return size_t{1}; };
        registry_.iface.get_device = [](ggml_backend_reg_t registry, size_t) {
            return static_cast<ggml_backend_dev_t>(registry->context);
        };
        registry_.context = &device_;
        ggml_backend_register(&registry_);
    }
    StrangeGpu(const StrangeGpu &) = delete;
    ~StrangeGpu() { ggml_backend_unload(&registry_); }

    static inline int used = 0;

private:
    template <typename T>
    static T use(T result) {
        ++used;
        return result;
    }

    ggml_backend_device device_{};
    ggml_backend_reg registry_{};
};

std::string test_model() {
    const char * path = std::getenv("THINKTREE_TEST_MODEL");
    if (path == nullptr) throw std::runtime_error("THINKTREE_TEST_MODEL names no model");
    return path;
}

}  // namespace

TEST(a_model_without_layers_on_a_gpu_leaves_it_alone) {
    const StrangeGpu gpu;
    const auto model = LlamaModels().load({test_model(), 0});
    const auto context = model->make_context({}, [] { return false; });
    CHECK(context->limits().tree_attention);
    CHECK_EQ(context->limits().tree_rows, 256);
    std::vector<BatchRow> rows;  // enough for llama.cpp to think of a GPU
    for (Pos p = 0; p < 100; ++p) rows.push_back({p, p, 0, p == 99});
    CHECK(context->decode(rows, std::vector<Ask>{{0, LogProbability{1}}}) == DecodeStatus::ok);
    CHECK(context->answers()[0].value < 0);
    CHECK_EQ(StrangeGpu::used, 0);
}

TEST(a_gpu_that_knows_no_plans_is_given_none) {
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_backend_init();
    const ModelPtr model(llama_model_load_from_file(test_model().c_str(), llama_model_default_params()));
    llama_context_params params = llama_context_default_params();
    params.kv_unified = true;
    CHECK(gpus_read_plans(model.get(), params));  // there is none
    const StrangeGpu gpu;
    CHECK(!gpus_read_plans(model.get(), params));
    CHECK(!try_model(model.get(), true, {}).reads_plans);
    CHECK(try_model(model.get(), false, {}).reads_plans);
    CHECK_EQ(StrangeGpu::used, 0);
}
