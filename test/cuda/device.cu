// Owns: the runner that uses a CUDA device. Must not know: the tests. Thread: theirs.
#include <cmath>
#include <stdexcept>
#include <string>

#include "attention_shape.h"
#include "kernels/cuda/tree_attention.h"
#include "runner.h"

namespace thinktree::runner {

namespace {

void check(cudaError_t status) {
    if (status != cudaSuccess) throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(status));
}

// A list's copy on the device.
template <typename T>
class OnDevice {
public:
    explicit OnDevice(const std::vector<T> & list) : size_(list.size()) {
        check(cudaMalloc(&data_, size_ * sizeof(T)));
        check(cudaMemcpy(data_, list.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
    }
    OnDevice(const OnDevice &) = delete;
    ~OnDevice() { cudaFree(data_); }

    T * data() const { return data_; }

    // After everything submitted so far.
    std::vector<T> read() const {
        check(cudaGetLastError());
        check(cudaDeviceSynchronize());
        std::vector<T> list(size_);
        check(cudaMemcpy(list.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
        return list;
    }

private:
    T * data_ = nullptr;
    size_t size_;
};

LogitRows view(const Rows & rows, const OnDevice<float> & logits) {
    return {logits.data(), rows.entries, rows.entries};
}

}  // namespace

std::vector<float> attend(const AttentionCase & c, uint32_t) {
    const int d = c.shape.head_size;
    const OnDevice<float> q(c.q), sinks(c.sinks);
    const OnDevice<uint16_t> k(c.k), v(c.v);
    const OnDevice<int32_t> plan(c.plan);
    const OnDevice<float> out(std::vector<float>(c.q.size(), NAN));
    const OnDevice<float> partials(std::vector<float>(tree_attention_scratch(c.rows, c.shape.heads, d), NAN));
    TreeAttention a = shape_of(c);
    a.q = q.data();
    a.k = reinterpret_cast<const half *>(k.data());
    a.v = reinterpret_cast<const half *>(v.data());
    a.sinks = c.shape.sinks ? sinks.data() : nullptr;
    a.out = out.data();
    a.plan = plan.data();
    a.partials = partials.data();
    int device = 0, multiprocessors = 0;
    check(cudaGetDevice(&device));
    check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
    tree_attention(a, d, multiprocessors, nullptr);
    return out.read();
}

std::vector<Drawn> draw(const Rows & rows, const std::vector<DrawOfRow> & draws, uint32_t) {
    const OnDevice<float> logits(rows.logits);
    const OnDevice<DrawOfRow> asked(draws);
    const OnDevice<Drawn> drawn(std::vector<Drawn>(draws.size(), {-2, NAN, NAN, NAN, NAN}));
    draw_tokens(view(rows, logits), asked.data(), static_cast<int>(draws.size()), drawn.data(), nullptr);
    return drawn.read();
}

std::vector<float> log_probabilities(const Rows & rows, const std::vector<TokenOfRow> & tokens) {
    const OnDevice<float> logits(rows.logits), out(std::vector<float>(tokens.size(), NAN));
    const OnDevice<TokenOfRow> asked(tokens);
    thinktree::log_probabilities(view(rows, logits), asked.data(), static_cast<int>(tokens.size()), out.data(),
                                 nullptr);
    return out.read();
}

std::vector<float> pair_probabilities(const Rows & rows, const std::vector<PairOfRow> & pairs) {
    const OnDevice<float> logits(rows.logits), out(std::vector<float>(pairs.size(), NAN));
    const OnDevice<PairOfRow> asked(pairs);
    thinktree::pair_probabilities(view(rows, logits), asked.data(), static_cast<int>(pairs.size()), out.data(),
                                  nullptr);
    return out.read();
}

}  // namespace thinktree::runner
