// Our products of a matrix of quants with a batch are llama.cpp's own, but for the order of sums.
#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "../native/harness.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

namespace {

struct Shape {
    int64_t width, weights, rows;
    ggml_type type = GGML_TYPE_Q8_0;
    int threads = 2;
};

std::vector<float> noise(std::mt19937 & random, int64_t n, float scale = 1.0f) {
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(static_cast<size_t>(n));
    for (float & v : values) v = normal(random);
    return values;
}

struct Compared {
    double difference;  // the largest, in parts of the largest product
    bool all_written;
};

std::vector<float> compute(ggml_tensor * product, ggml_cgraph * graph, int threads, bool own) {
    memset(product->data, 0xFF, ggml_nbytes(product));  // NaN: what is not written shows
    const std::unique_ptr<ggml_backend, void (*)(ggml_backend_t)> backend(ggml_backend_cpu_init(), ggml_backend_free);
    ggml_backend_cpu_set_n_threads(backend.get(), threads);
    ggml_backend_cpu_set_use_ref(backend.get(), own);  // what it came with
    CHECK_EQ(static_cast<int>(ggml_backend_graph_compute(backend.get(), graph)), 0);
    const auto * values = static_cast<const float *>(product->data);
    return {values, values + ggml_nelements(product)};
}

Compared compare(std::mt19937 & random, const Shape & shape) {
    const std::unique_ptr<ggml_context, void (*)(ggml_context *)> context(
        ggml_init({size_t{128} << 20, nullptr, false}), ggml_free);
    ggml_tensor * weights = ggml_new_tensor_2d(context.get(), shape.type, shape.width, shape.weights);
    ggml_tensor * batch = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, shape.width, shape.rows);
    const std::vector<float> values = noise(random, ggml_nelements(weights), 0.05f);
    ggml_quantize_chunk(weights->type, values.data(), weights->data, 0, shape.weights, shape.width, nullptr);
    const std::vector<float> from = noise(random, ggml_nelements(batch));
    memcpy(batch->data, from.data(), ggml_nbytes(batch));
    ggml_tensor * product = ggml_mul_mat(context.get(), weights, batch);
    ggml_cgraph * graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, product);

    const std::vector<float> ours = compute(product, graph, shape.threads, false);
    const std::vector<float> theirs = compute(product, graph, shape.threads, true);
    Compared result{0, true};
    double largest = 0;
    for (size_t i = 0; i < ours.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(theirs[i])));
        const double difference = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
        if (std::isnan(difference)) result.all_written = false;
        result.difference = std::max(result.difference, difference);
    }
    result.difference /= largest;
    return result;
}

void check(const Shape & shape) {
    std::mt19937 random(3);
    const Compared compared = compare(random, shape);
    CHECK(compared.all_written);
    CHECK(compared.difference < 2e-6);
}

}  // namespace

constexpr ggml_type all_types[] = {GGML_TYPE_Q4_0, GGML_TYPE_Q5_0, GGML_TYPE_Q8_0,
                                   GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};

TEST(products_of_every_type) {
    for (const ggml_type type : all_types) {
        check({512, 4864, 64, type});
        check({4864, 512, 64, type});
    }
}
TEST(products_of_any_number_of_rows) {
    for (const ggml_type type : all_types) {
        for (const int64_t rows : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 127, 200, 512}) check({256, 128, rows, type});
    }
}
TEST(products_of_any_number_of_weights) {
    for (const ggml_type type : all_types) {
        for (const int64_t weights : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 95, 151}) check({256, weights, 40, type});
    }
}
TEST(products_of_one_block) { check({32, 64, 70}); }
TEST(products_by_any_number_of_threads) {
    for (const ggml_type type : all_types) {
        for (const int threads : {1, 3, 4, 7, 16}) check({1024, 256, 130, type, threads});
    }
}

TEST(products_of_the_largest_quants) {
    const std::unique_ptr<ggml_context, void (*)(ggml_context *)> context(ggml_init({size_t{16} << 20, nullptr, false}),
                                                                          ggml_free);
    ggml_tensor * weights = ggml_new_tensor_2d(context.get(), GGML_TYPE_Q8_0, 64, 32);
    ggml_tensor * batch = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 64, 8);
    // Blocks as a file may have them: a scale of 1 and quants of -128, which quantising never makes.
    auto * bytes = static_cast<uint8_t *>(weights->data);
    const ggml_fp16_t one = ggml_fp32_to_fp16(1.0f);
    for (size_t at = 0; at < ggml_nbytes(weights); at += 34) {
        memcpy(bytes + at, &one, sizeof one);
        memset(bytes + at + sizeof one, 0x80, 32);
    }
    auto * values = static_cast<float *>(batch->data);
    for (int64_t i = 0; i < ggml_nelements(batch); ++i) values[i] = (i / 64) % 2 == 0 ? 127.0f : -127.0f;
    ggml_tensor * product = ggml_mul_mat(context.get(), weights, batch);
    ggml_cgraph * graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, product);
    const std::vector<float> ours = compute(product, graph, 2, false);
    for (size_t i = 0; i < ours.size(); ++i) {
        CHECK_EQ(ours[i], (i / 32) % 2 == 0 ? -127.0f * 128.0f * 64.0f : 127.0f * 128.0f * 64.0f);
    }
}

// A batch whose rows are a part of wider ones, as a view of a tensor has them.
TEST(products_of_rows_with_gaps) {
    std::mt19937 random(4);
    const std::unique_ptr<ggml_context, void (*)(ggml_context *)> context(ggml_init({size_t{16} << 20, nullptr, false}),
                                                                          ggml_free);
    ggml_tensor * weights = ggml_new_tensor_2d(context.get(), GGML_TYPE_Q8_0, 64, 96);
    ggml_tensor * wide = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, 160, 20);
    const std::vector<float> values = noise(random, ggml_nelements(weights));
    ggml_quantize_chunk(weights->type, values.data(), weights->data, 0, 96, 64, nullptr);
    const std::vector<float> from = noise(random, ggml_nelements(wide));
    memcpy(wide->data, from.data(), ggml_nbytes(wide));
    ggml_tensor * view = ggml_view_2d(context.get(), wide, 64, 20, wide->nb[1], 32 * sizeof(float));
    ggml_tensor * product = ggml_mul_mat(context.get(), weights, view);
    ggml_cgraph * graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, product);
    const std::vector<float> ours = compute(product, graph, 2, false), theirs = compute(product, graph, 2, true);
    for (size_t i = 0; i < ours.size(); ++i) CHECK(std::abs(ours[i] - theirs[i]) < 1e-4f);
}
