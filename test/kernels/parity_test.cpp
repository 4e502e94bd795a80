// With tree plans a model's logits are those of llama.cpp as it comes, on a real model and a search's kind of batches.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "../native/harness.h"
#include "backend/llama/handles.h"
#include "llama.h"

namespace {

using Model = thinktree::ModelPtr;
using Context = thinktree::ContextPtr;

enum class Attention { plans, flash, plain };

Context make_context(llama_model * model, Attention attention, ggml_type cache_type) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 4096;
    params.n_batch = 512;
    params.n_ubatch = 512;
    params.n_seq_max = 256;
    params.n_outputs_max = 256;
    params.n_threads = params.n_threads_batch = 2;
    params.kv_unified = true;
    params.flash_attn_type =
        attention == Attention::plain ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.type_k = params.type_v = cache_type;
    return thinktree::open_context(model, params, attention == Attention::plans);
}

struct Row {
    llama_token token;
    llama_pos position;
    llama_seq_id sequence;
};

// The logits after each row.
std::vector<float> decode(llama_context * context, const std::vector<Row> & rows, int32_t n_vocab) {
    llama_batch batch = llama_batch_init(static_cast<int32_t>(rows.size()), 0, 1);
    for (const Row & row : rows) {
        const int32_t i = batch.n_tokens++;
        batch.token[i] = row.token;
        batch.pos[i] = row.position;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = row.sequence;
        batch.logits[i] = 1;
    }
    CHECK_EQ(llama_decode(context, batch), 0);
    std::vector<float> logits;
    for (int32_t i = 0; i < batch.n_tokens; ++i) {
        const float * row = llama_get_logits_ith(context, i);
        logits.insert(logits.end(), row, row + n_vocab);
    }
    llama_batch_free(batch);
    return logits;
}

// Kullback-Leibler divergence between the distributions of two rows, in nats.
double divergence(const float * p, const float * q, int32_t n) {
    const auto log_sum = [n](const float * row) {
        const double most = static_cast<double>(*std::max_element(row, row + n));
        double sum = 0;
        for (int32_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(row[i]) - most);
        return most + std::log(sum);
    };
    const double log_p = log_sum(p), log_q = log_sum(q);
    double kl = 0;
    for (int32_t i = 0; i < n; ++i) {
        const double lp = static_cast<double>(p[i]) - log_p, lq = static_cast<double>(q[i]) - log_q;
        kl += std::exp(lp) * (lp - lq);
    }
    return kl;
}

void compare(ggml_type cache_type, Attention stock_attention, double most_difference, double most_divergence) {
    const char * path = std::getenv("THINKTREE_TEST_MODEL");
    if (path == nullptr) throw std::runtime_error("THINKTREE_TEST_MODEL names no model");
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_backend_init();
    const Model model(llama_model_load_from_file(path, llama_model_default_params()));
    CHECK(model != nullptr);
    const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model.get()));
    const Context ours = make_context(model.get(), Attention::plans, cache_type);
    const Context stock = make_context(model.get(), stock_attention, cache_type);
    const auto token = [&](int32_t a, int32_t b) { return (a * 7919 + b * 104729) % n_vocab; };

    double difference = 0, kl = 0;
    const auto both = [&](const std::vector<Row> & rows) {
        const std::vector<float> a = decode(ours.get(), rows, n_vocab);
        const std::vector<float> b = decode(stock.get(), rows, n_vocab);
        for (size_t i = 0; i < a.size(); ++i)
            difference = std::max(difference, static_cast<double>(std::abs(a[i] - b[i])));
        for (size_t r = 0; r < rows.size(); ++r) {
            const auto at = r * static_cast<size_t>(n_vocab);
            kl = std::max(kl, divergence(b.data() + at, a.data() + at, n_vocab));
        }
    };
    const auto fork = [&](llama_seq_id from, llama_seq_id to) {
        for (llama_context * context : {ours.get(), stock.get()}) {
            llama_memory_seq_cp(llama_get_memory(context), from, to, -1, -1);
        }
    };

    // A prompt in one piece, 8 branches, then each of them parted in 8, one after the other released.
    std::vector<Row> rows;
    for (int32_t p = 0; p < 100; ++p) rows.push_back({token(p, 1), p, 0});
    both(rows);
    for (llama_seq_id s = 1; s < 8; ++s) fork(0, s);
    for (int32_t t = 0; t < 20; ++t) {
        rows.clear();
        for (llama_seq_id s = 0; s < 8; ++s) rows.push_back({token(t, s), 100 + t, s});
        both(rows);
    }
    for (llama_seq_id s = 8; s < 64; ++s) fork(s % 8, s);
    for (int32_t t = 0; t < 20; ++t) {
        rows.clear();
        for (llama_seq_id s = t; s < 64; ++s) rows.push_back({token(t, s + 100), 120 + t, (s * 29) % 64});
        std::sort(rows.begin(), rows.end(), [](const Row & a, const Row & b) { return a.token < b.token; });
        both(rows);
        const llama_seq_id gone = (t * 29) % 64;
        for (llama_context * context : {ours.get(), stock.get()}) {
            llama_memory_seq_rm(llama_get_memory(context), gone, -1, -1);
        }
    }
    std::cout << "    logits differ by " << difference << " at most, the distributions by " << kl << " nats"
              << std::endl;
    CHECK(difference < most_difference);
    CHECK(kl < most_divergence);
}

}  // namespace

// The model multiplies quantised activations, so that the last bit of a sum may turn into a step of a quant further on:
// this is how near two exact kernels come. tree_attention_test.cpp holds the kernel itself to 2e-5.
TEST(logits_by_plans_are_those_of_plain_attention) { compare(GGML_TYPE_F32, Attention::plain, 0.1, 2e-4); }
// llama.cpp's own kernel rounds queries to the cache's type, ours does not.
TEST(logits_by_plans_over_halves_are_near_llamas) { compare(GGML_TYPE_F16, Attention::flash, 0.2, 1e-3); }
TEST(logits_by_plans_over_quants_are_near_llamas) { compare(GGML_TYPE_Q8_0, Attention::flash, 1.0, 5e-2); }
