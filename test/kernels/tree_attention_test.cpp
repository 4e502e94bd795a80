// Attention by tree plans on the CPU is what softmax over the seen cells is, computed in double precision.
#include <cmath>
#include <cstring>
#include <memory>

#include "../native/harness.h"
#include "../native/random_cache.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

using namespace thinktree;

namespace {

struct Setting {
    int64_t dk, dv, heads, kv_heads;
    ggml_type type = GGML_TYPE_F16;
    float softcap = 0;
    bool sinks = false;
    int threads = 2;
};

std::vector<float> noise(std::mt19937 & random, int64_t n) {
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(n));
    for (float & v : values) v = normal(random);
    return values;
}

// As the cache holds it: [width, heads, cells], and read back as floats.
std::vector<float> store(ggml_tensor * to, const std::vector<float> & from) {
    const int64_t rows = ggml_nelements(to) / to->ne[0];
    std::vector<float> back(from.size());
    if (to->type == GGML_TYPE_F32) {
        memcpy(to->data, from.data(), ggml_nbytes(to));
        return from;
    }
    ggml_quantize_chunk(to->type, from.data(), to->data, 0, rows, to->ne[0], nullptr);
    ggml_get_type_traits(to->type)->to_float(to->data, back.data(), static_cast<int64_t>(from.size()));
    return back;
}

// The largest difference to the reference.
double compare(std::mt19937 & random, const Setting & s, const RandomCache & cache) {
    const auto cells = static_cast<int64_t>(cache.positions.size());
    const auto rows = static_cast<int64_t>(cache.rows.size());
    const std::unique_ptr<ggml_context, void (*)(ggml_context *)> context(ggml_init({size_t{64} << 20, nullptr, false}),
                                                                          ggml_free);
    ggml_tensor * q = ggml_new_tensor_3d(context.get(), GGML_TYPE_F32, s.dk, s.heads, rows);
    ggml_tensor * k = ggml_new_tensor_3d(context.get(), s.type, s.dk, s.kv_heads, cells);
    ggml_tensor * v = ggml_new_tensor_3d(context.get(), s.type, s.dv, s.kv_heads, cells);
    ggml_tensor * mask = ggml_new_tensor_1d(context.get(), GGML_TYPE_F16, 2 * plan_words(rows, cells));
    TreePlanner().plan(cache.positions.data(), cache.sequences.data(), static_cast<int32_t>(cells), cache.rows,
                       static_cast<int32_t *>(mask->data), plan_words(rows, cells));
    const std::vector<float> queries = store(q, noise(random, ggml_nelements(q)));
    const std::vector<float> keys = store(k, noise(random, ggml_nelements(k)));
    const std::vector<float> values = store(v, noise(random, ggml_nelements(v)));
    const std::vector<float> sinks = noise(random, s.heads);
    const float scale = 1.0f / std::sqrt(static_cast<float>(s.dk));
    ggml_tensor * out = ggml_flash_attn_ext(context.get(), ggml_permute(context.get(), q, 0, 2, 1, 3),
                                            ggml_permute(context.get(), k, 0, 2, 1, 3),
                                            ggml_permute(context.get(), v, 0, 2, 1, 3), mask, scale, 0, s.softcap);
    out->op_params[5] = plan_magic;
    if (s.sinks) {
        ggml_tensor * given = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, s.heads);
        store(given, sinks);
        ggml_flash_attn_ext_add_sinks(out, given);
    }
    ggml_cgraph * graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, out);
    memset(out->data, 0xFF, ggml_nbytes(out));  // NaN: what is not written shows
    ggml_graph_compute_with_ctx(context.get(), graph, s.threads);

    double worst = 0;
    const auto * result = static_cast<const float *>(out->data);
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t head = 0; head < s.heads; ++head) {
            const int64_t kv = head / (s.heads / s.kv_heads);
            std::vector<double> expected(static_cast<size_t>(s.dv), 0);
            double sum = s.sinks ? std::exp(static_cast<double>(sinks[static_cast<size_t>(head)])) : 0;
            for (int64_t cell = 0; cell < cells; ++cell) {
                if (!cache.sees(cache.rows[static_cast<size_t>(row)], static_cast<size_t>(cell))) continue;
                double score = 0;
                for (int64_t d = 0; d < s.dk; ++d) {
                    score += static_cast<double>(queries[static_cast<size_t>((row * s.heads + head) * s.dk + d)]) *
                             static_cast<double>(keys[static_cast<size_t>((cell * s.kv_heads + kv) * s.dk + d)]);
                }
                score *= static_cast<double>(scale);
                if (s.softcap > 0)
                    score = static_cast<double>(s.softcap) * std::tanh(score / static_cast<double>(s.softcap));
                const double weight = std::exp(score);
                sum += weight;
                for (int64_t d = 0; d < s.dv; ++d) {
                    expected[static_cast<size_t>(d)] +=
                        weight * static_cast<double>(values[static_cast<size_t>((cell * s.kv_heads + kv) * s.dv + d)]);
                }
            }
            for (int64_t d = 0; d < s.dv; ++d) {
                const double actual = static_cast<double>(result[(row * s.heads + head) * s.dv + d]);
                const double difference = std::abs(actual - expected[static_cast<size_t>(d)] / sum);
                if (!(difference <= worst)) worst = difference;  // NaN too
            }
        }
    }
    return worst;
}

constexpr double tolerance = 2e-5;

void check(const Setting & setting, int rounds = 12) {
    std::mt19937 random(7);
    for (int round = 0; round < rounds; ++round) {
        const auto sequences = 1 + static_cast<int32_t>(random() % 40);
        const double difference = compare(random, setting, random_cache(random, 512, sequences, round % 2 == 0));
        CHECK(difference < tolerance);
    }
}

}  // namespace

TEST(attention_with_grouped_heads) { check({64, 64, 14, 2}); }
TEST(attention_with_as_many_kv_heads) { check({64, 64, 4, 4}); }
TEST(attention_with_one_kv_head) { check({64, 64, 5, 1}); }
TEST(attention_with_large_heads) { check({128, 128, 12, 2}); }
TEST(attention_with_odd_widths) { check({80, 96, 6, 2}); }
TEST(attention_with_values_of_another_width) { check({192, 128, 8, 8}); }
TEST(attention_with_widths_that_fill_no_vector) { check({20, 12, 4, 2}); }
TEST(attention_over_quants) { check({64, 64, 14, 2, GGML_TYPE_Q8_0}); }
TEST(attention_over_floats) { check({64, 64, 14, 2, GGML_TYPE_F32}); }
TEST(attention_with_a_soft_cap) { check({64, 64, 14, 2, GGML_TYPE_F16, 20.0f}); }
TEST(attention_with_sinks) { check({64, 64, 14, 2, GGML_TYPE_F16, 0, true}); }

TEST(attention_by_any_number_of_threads) {
    for (const int threads : {1, 3, 4, 7, 16}) check({64, 64, 14, 2, GGML_TYPE_F16, 0, false, threads}, 4);
}

TEST(attention_of_256_branches) {
    std::mt19937 random(8);
    CHECK(compare(random, {64, 64, 14, 2}, random_cache(random, 4096, 256, false)) < tolerance);
}
