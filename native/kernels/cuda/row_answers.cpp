#include "row_answers.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <variant>

namespace thinktree {

namespace {

bool ok(cudaError_t status) { return status == cudaSuccess; }

// Where the lists begin, in bytes. Only the first has members of 8 bytes.
struct Layout {
    size_t draws = 0, tokens = 0, pairs = 0;
    size_t tokens_at = 0, pairs_at = 0, drawn_at = 0, values_at = 0, end = 0;

    explicit Layout(std::span<const Ask> asks) {
        for (const Ask & ask : asks) {
            draws += std::holds_alternative<Draw>(ask.what);
            tokens += std::holds_alternative<LogProbability>(ask.what);
            pairs += std::holds_alternative<PairProbability>(ask.what);
        }
        tokens_at = draws * sizeof(DrawOfRow);
        pairs_at = tokens_at + tokens * sizeof(TokenOfRow);
        drawn_at = pairs_at + pairs * sizeof(PairOfRow);
        values_at = drawn_at + draws * sizeof(Drawn);  // of tokens, then of pairs
        end = values_at + (tokens + pairs) * sizeof(float);
    }

    DrawOfRow * draw_list(unsigned char * memory) const { return reinterpret_cast<DrawOfRow *>(memory); }
    TokenOfRow * token_list(unsigned char * memory) const { return reinterpret_cast<TokenOfRow *>(memory + tokens_at); }
    PairOfRow * pair_list(unsigned char * memory) const { return reinterpret_cast<PairOfRow *>(memory + pairs_at); }
    Drawn * drawn_list(unsigned char * memory) const { return reinterpret_cast<Drawn *>(memory + drawn_at); }
    float * token_values(unsigned char * memory) const { return reinterpret_cast<float *>(memory + values_at); }
    float * pair_values(unsigned char * memory) const { return token_values(memory) + tokens; }
};

void write(std::span<const Ask> asks, const Layout & layout, unsigned char * memory) {
    DrawOfRow * draws = layout.draw_list(memory);
    TokenOfRow * tokens = layout.token_list(memory);
    PairOfRow * pairs = layout.pair_list(memory);
    for (const Ask & ask : asks) {
        if (const Draw * draw = std::get_if<Draw>(&ask.what)) {
            const SamplerOptions & o = draw->options;
            *draws++ = {draw->uniform, ask.row, o.top_k, o.temperature, o.top_p, o.min_p};
        } else if (const LogProbability * known = std::get_if<LogProbability>(&ask.what)) {
            *tokens++ = {ask.row, known->token};
        } else {
            const auto & [a, b] = std::get<PairProbability>(ask.what);
            *pairs++ = {ask.row, a, b};
        }
    }
}

void take(std::span<const Ask> asks, const Layout & layout, unsigned char * memory, std::vector<Answer> & answers) {
    const Drawn * drawn = layout.drawn_list(memory);
    const float * of_tokens = layout.token_values(memory);
    const float * of_pairs = layout.pair_values(memory);
    for (const Ask & ask : asks) {
        Answer answer;
        if (std::holds_alternative<Draw>(ask.what)) {
            answer = {drawn->token, drawn->log_probability};
            ++drawn;
        } else {
            answer.value = std::holds_alternative<LogProbability>(ask.what) ? *of_tokens++ : *of_pairs++;
        }
        answers.push_back(answer);
    }
}

}  // namespace

RowAnswers::~RowAnswers() { release(); }

void RowAnswers::release() {
    cudaFreeHost(on_host_);
    cudaFree(on_device_);
    on_host_ = on_device_ = nullptr;
    capacity_ = 0;
}

bool RowAnswers::reserve(size_t bytes) {
    if (bytes <= capacity_) return true;
    release();
    constexpr size_t least = 1 << 16;
    const size_t wanted = std::max(least, 2 * bytes);
    void *host = nullptr, *device = nullptr;
    if (ok(cudaMallocHost(&host, wanted))) on_host_ = static_cast<unsigned char *>(host);
    if (ok(cudaMalloc(&device, wanted))) on_device_ = static_cast<unsigned char *>(device);
    if (on_host_ == nullptr || on_device_ == nullptr) {
        release();
        return false;
    }
    capacity_ = wanted;
    return true;
}

bool RowAnswers::read(const LogitRows & rows, std::span<const Ask> asks, int device, cudaStream_t stream) {
    answers_.clear();
    const Layout layout(asks);
    if (!ok(cudaSetDevice(device)) || !reserve(layout.end)) return false;
    write(asks, layout, on_host_);

    if (!ok(cudaMemcpyAsync(on_device_, on_host_, layout.drawn_at, cudaMemcpyHostToDevice, stream))) return false;
    draw_tokens(rows, layout.draw_list(on_device_), static_cast<int>(layout.draws), layout.drawn_list(on_device_),
                stream);
    log_probabilities(rows, layout.token_list(on_device_), static_cast<int>(layout.tokens),
                      layout.token_values(on_device_), stream);
    pair_probabilities(rows, layout.pair_list(on_device_), static_cast<int>(layout.pairs),
                       layout.pair_values(on_device_), stream);
    const bool submitted =
        ok(cudaGetLastError()) && ok(cudaMemcpyAsync(on_host_ + layout.drawn_at, on_device_ + layout.drawn_at,
                                                     layout.end - layout.drawn_at, cudaMemcpyDeviceToHost, stream));
    // Also after an error: nothing may go on in this memory.
    if (!ok(cudaStreamSynchronize(stream)) || !submitted) return false;
    take(asks, layout, on_host_, answers_);
    return true;
}

}  // namespace thinktree
