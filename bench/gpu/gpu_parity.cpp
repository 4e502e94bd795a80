// Owns: whether the engine's own backend gives, on a GPU, what llama.cpp's kernels and the CPU's sampler give.
// Must not know: the search. Thread: one, and llama.cpp's.
//
//   gpu_parity MODEL.gguf [LAYERS ON THE GPU]
//
// Two contexts of one model, one with our kernels and one without, decode the same batches: a prompt, branches of it,
// and branches of these. Attention: the logits of both, row by row. Reading: what ours answers about its rows against
// the sampler on the CPU, on the same rows copied. Prints a line of JSON; exits with 1 if anything is too far apart, or
// if a GPU was asked for and our kernels were not used on it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/llama/llama_backend.h"

using namespace thinktree;

namespace {

// Rounding differs, and quantised activations turn a last bit into a step of a quant further on.
constexpr double most_divergence = 1e-2;  // nats
constexpr double most_value_error = 1e-4;
constexpr double most_other_draws = 2e-3;  // of all: a uniform may lie between two tokens but for rounding

double log_sum(const float * row, int32_t n) {
    const double most = static_cast<double>(*std::max_element(row, row + n));
    double sum = 0;
    for (int32_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(row[i]) - most);
    return most + std::log(sum);
}

// Kullback-Leibler divergence between the distributions of two rows.
double divergence(const float * p, const float * q, int32_t n) {
    const double of_p = log_sum(p, n), of_q = log_sum(q, n);
    double sum = 0;
    for (int32_t i = 0; i < n; ++i) {
        const double log_p = static_cast<double>(p[i]) - of_p;
        sum += std::exp(log_p) * (log_p - (static_cast<double>(q[i]) - of_q));
    }
    return sum;
}

class Parity {
public:
    explicit Parity(const std::shared_ptr<const Model> & model)
        : n_vocab_(model->n_vocab()), ours_(context(*model, false)), stock_(context(*model, true)) {}

    void compare() {
        std::vector<BatchRow> rows;
        for (Pos p = 0; p < prompt; ++p) rows.push_back({any_token(), p, 0, p + 1 == prompt});
        decode(rows);
        for (SeqId s = 1; s < 8; ++s) fork(0, s, prompt);
        for (Pos t = 0; t < steps; ++t) step(8, prompt + t);
        for (SeqId s = 8; s < 64; ++s) fork(s % 8, s, prompt + steps);
        for (Pos t = 0; t < steps; ++t) step(64, prompt + steps + t);
    }

    bool print(bool on_gpu) const {
        const bool plans = ours_->limits().tree_attention, on_device = ours_->reads_on_device();
        const double other_draws = static_cast<double>(other_draws_) / static_cast<double>(std::max(draws_, 1));
        std::printf(
            "{\"tree_attention\":%s,\"read_on_device\":%s,\"logits_differ\":%.3g,\"divergence\":%.3g,\"draws\":%d,"
            "\"other_draws\":%d,\"values_differ\":%.3g}\n",
            plans ? "true" : "false", on_device ? "true" : "false", difference_, divergence_, draws_, other_draws_,
            value_error_);
        // NaN is below nothing.
        return divergence_ < most_divergence && value_error_ < most_value_error && other_draws < most_other_draws &&
               plans && on_device == on_gpu && !stock_->limits().tree_attention && !stock_->reads_on_device();
    }

private:
    static constexpr Pos prompt = 200, steps = 24;

    static std::unique_ptr<Context> context(const Model & model, bool stock) {
        ContextOptions options;
        options.cells = 8192;
        options.stock_kernels = stock;
        return model.make_context(options, [] { return false; });
    }

    Token any_token() { return static_cast<Token>(random_() % static_cast<uint32_t>(n_vocab_)); }

    void fork(SeqId from, SeqId to, Pos end) {
        for (Context * c : {ours_.get(), stock_.get()}) c->seq_copy(from, to, 0, end);
    }

    void step(SeqId branches, Pos position) {
        std::vector<BatchRow> rows;
        for (SeqId s = 0; s < branches; ++s) rows.push_back({any_token(), position, (s * 29) % branches, true});
        decode(rows);
    }

    // Of every row some of all that a search asks, out of order.
    std::vector<Ask> asks_of(int32_t rows) {
        const SamplerOptions all_options[] = {
            {0.8f, 0, 1.0f, 0.0f}, {0.0f, 0, 1.0f, 0.0f}, {0.8f, 40, 0.95f, 0.05f}, {1.0f, 0, 0.9f, 0.0f}};
        std::uniform_real_distribution<double> uniform(1e-9, 1 - 1e-9);
        std::vector<Ask> asks;
        for (int32_t row = 0; row < rows; ++row) {
            for (const SamplerOptions & options : all_options) asks.push_back({row, Draw{options, uniform(random_)}});
            asks.push_back({row, LogProbability{any_token()}});
            asks.push_back({row, PairProbability{any_token(), any_token()}});
        }
        std::shuffle(asks.begin(), asks.end(), random_);
        return asks;
    }

    void decode(const std::vector<BatchRow> & rows) {
        const auto outputs =
            static_cast<int32_t>(std::count_if(rows.begin(), rows.end(), [](const BatchRow & r) { return r.output; }));
        const std::vector<Ask> asks = asks_of(outputs);
        if (ours_->decode(rows, asks) != DecodeStatus::ok || stock_->decode(rows, {}) != DecodeStatus::ok)
            throw std::runtime_error("a decode failed");
        for (int32_t i = 0; i < outputs; ++i) compare_logits(ours_->logits(i), stock_->logits(i));
        for (size_t i = 0; i < asks.size(); ++i) compare_answer(asks[i], ours_->answers()[i]);
    }

    void compare_logits(const float * ours, const float * stock) {
        for (int32_t i = 0; i < n_vocab_; ++i) {
            worsen(difference_, std::abs(static_cast<double>(ours[i]) - static_cast<double>(stock[i])));
        }
        worsen(divergence_, divergence(stock, ours, n_vocab_));
    }

    void compare_answer(const Ask & ask, const Answer & found) {
        Answer expected;
        const std::span<const float> logits(ours_->logits(ask.row), static_cast<size_t>(n_vocab_));
        answer({&ask, 1}, {logits, {}}, sampler_, {&expected, 1});
        if (std::holds_alternative<Draw>(ask.what)) {
            ++draws_;
            if (found.token != expected.token) {
                ++other_draws_;
                return;
            }
        }
        worsen(value_error_, std::abs(static_cast<double>(found.value) - static_cast<double>(expected.value)));
    }

    // NaN is the worst, and stays.
    static void worsen(double & worst, double now) {
        if (!(now <= worst)) worst = std::isnan(worst) ? worst : now;
    }

    int32_t n_vocab_;
    std::unique_ptr<Context> ours_, stock_;
    std::mt19937 random_{1};
    Sampler sampler_;
    int draws_ = 0, other_draws_ = 0;
    double difference_ = 0, divergence_ = 0, value_error_ = 0;
};

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "gpu_parity MODEL.gguf [LAYERS ON THE GPU]\n");
        return 2;
    }
    try {
        const int32_t layers = argc > 2 ? std::atoi(argv[2]) : -1;
        Parity parity(LlamaModels().load({argv[1], layers}));
        parity.compare();
        return parity.print(layers != 0) ? 0 : 1;
    } catch (const std::exception & error) {
        std::fprintf(stderr, "gpu_parity: %s\n", error.what());
        return 1;
    }
}
