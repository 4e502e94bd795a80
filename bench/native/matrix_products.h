// Owns: the matrix products of one decode step, and nothing else of it: what a step cannot be faster than.
// Must not know: attention, caches, real weights. Thread: one, and ggml's.
//
// Every weight lies in the buffer type that llama.cpp would choose for it on a CPU, since some (AMX, repacked) are
// several times faster than others.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

struct LayerShape {
    int32_t width, layers, heads, kv_heads, feed_forward, vocabulary;
};

class MatrixProducts {
public:
    MatrixProducts(const LayerShape & shape, int32_t rows, ggml_threadpool * threads, int32_t n_threads)
        : rows_(rows), backend_(ggml_backend_cpu_init()) {
        ggml_backend_cpu_set_n_threads(backend_, n_threads);
        ggml_backend_cpu_set_threadpool(backend_, threads);
        context_ = ggml_init({ggml_tensor_overhead() * 4096 + ggml_graph_overhead_custom(4096, false), nullptr, true});
        graph_ = ggml_new_graph_custom(context_, 4096, false);
        const int32_t kv_width = shape.width / shape.heads * shape.kv_heads;
        ggml_tensor * narrow = input(shape.width);
        ggml_tensor * wide = input(shape.feed_forward);
        for (int32_t layer = 0; layer < shape.layers; ++layer) {
            multiply(narrow, shape.width);
            multiply(narrow, kv_width);
            multiply(narrow, kv_width);
            multiply(narrow, shape.width);
            multiply(narrow, shape.feed_forward);
            multiply(narrow, shape.feed_forward);
            multiply(wide, shape.width);
        }
        multiply(narrow, shape.vocabulary);
        allocate_weights();
        results_ = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend_));
        if (!ggml_gallocr_alloc_graph(results_, graph_)) throw std::runtime_error("no memory for the matrix products");
        for (ggml_tensor * in : inputs_) {
            const std::vector<float> values = noise(ggml_nelements(in));
            ggml_backend_tensor_set(in, values.data(), 0, ggml_nbytes(in));
        }
    }
    MatrixProducts(const MatrixProducts &) = delete;
    ~MatrixProducts() {
        ggml_gallocr_free(results_);
        for (ggml_backend_buffer_t buffer : buffers_) ggml_backend_buffer_free(buffer);
        ggml_free(context_);
        ggml_backend_free(backend_);
    }

    // By our kernels, or by those that llama.cpp comes with.
    void compute(bool ours) {
        ggml_backend_cpu_set_use_ref(backend_, !ours);
        if (ggml_backend_graph_compute(backend_, graph_) != GGML_STATUS_SUCCESS)
            throw std::runtime_error("not computed");
    }

private:
    ggml_tensor * input(int32_t width) {
        ggml_tensor * in = ggml_new_tensor_2d(context_, GGML_TYPE_F32, width, rows_);
        ggml_set_input(in);
        ggml_set_output(in);  // its memory is not given to a result
        inputs_.push_back(in);
        return in;
    }

    void multiply(ggml_tensor * in, int32_t width) {
        ggml_tensor * weight = ggml_new_tensor_2d(context_, GGML_TYPE_Q8_0, in->ne[0], width);
        ggml_tensor * product = ggml_mul_mat(context_, weight, in);
        products_.push_back(product);
        ggml_build_forward_expand(graph_, product);
    }

    void allocate_weights() {
        const std::vector<ggml_backend_buffer_type_t> types = buffer_types();
        for (ggml_tensor * product : products_) {
            ggml_tensor * weight = product->src[0];
            for (ggml_backend_buffer_type_t type : types) {
                ggml_backend_buffer_t buffer =
                    ggml_backend_buft_alloc_buffer(type, ggml_backend_buft_get_alloc_size(type, weight));
                ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
                ggml_backend_tensor_alloc(buffer, weight, ggml_backend_buffer_get_base(buffer));
                if (ggml_backend_supports_op(backend_, product)) {
                    buffers_.push_back(buffer);
                    break;
                }
                ggml_backend_buffer_free(buffer);
                weight->buffer = nullptr;
                weight->data = nullptr;
                weight->extra = nullptr;
            }
            fill(weight);
        }
    }

    std::vector<ggml_backend_buffer_type_t> buffer_types() const {
        std::vector<ggml_backend_buffer_type_t> types;
        ggml_backend_dev_t device = ggml_backend_get_device(backend_);
        using Extra = ggml_backend_buffer_type_t * (*)(ggml_backend_dev_t);
        const auto extra = reinterpret_cast<Extra>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
        if (extra != nullptr) {
            for (auto type = extra(device); type != nullptr && *type != nullptr; ++type) types.push_back(*type);
        }
        types.push_back(ggml_backend_get_default_buffer_type(backend_));
        return types;
    }

    void fill(ggml_tensor * weight) {
        const std::vector<float> values = noise(weight->ne[0]);
        const size_t row = ggml_row_size(weight->type, weight->ne[0]);
        std::vector<uint8_t> all(row * weight->ne[1]);
        for (int64_t r = 0; r < weight->ne[1]; ++r) {
            ggml_quantize_chunk(weight->type, values.data(), all.data() + r * row, 0, 1, weight->ne[0], nullptr);
        }
        ggml_backend_tensor_set(weight, all.data(), 0, all.size());
    }

    std::vector<float> noise(int64_t n) {
        std::normal_distribution<float> normal(0.0f, 0.05f);
        std::vector<float> values(static_cast<size_t>(n));
        for (float & value : values) value = normal(random_);
        return values;
    }

    int32_t rows_;
    std::mt19937 random_{1};
    ggml_backend_t backend_;
    ggml_context * context_;
    ggml_cgraph * graph_;
    ggml_gallocr_t results_ = nullptr;
    std::vector<ggml_tensor *> inputs_, products_;
    std::vector<ggml_backend_buffer_t> buffers_;
};
