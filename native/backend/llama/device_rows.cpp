#include "backend/llama/device_rows.h"

#ifdef THINKTREE_CUDA_KERNELS

#include <unordered_map>
#include <vector>

#include "ggml-backend.h"
#include "ggml.h"
#include "kernels/cuda/ggml_stream.h"
#include "kernels/cuda/row_answers.h"

namespace thinktree {

namespace {

class CudaRows final : public DeviceRows {
public:
    void begin() override {
        backend_ = nullptr;
        copies_.clear();
    }

    bool take(ggml_backend * backend, const ggml_tensor * logits) override {
        const std::optional<DeviceStream> stream = stream_of(backend);
        if (!stream || logits->type != GGML_TYPE_F32 || logits->nb[0] != sizeof(float)) return false;
        backend_ = backend;
        logits_ = logits;
        stream_ = *stream;
        return true;
    }

    bool taken() const override { return backend_ != nullptr; }

    bool read(std::span<const Ask> asks) override {
        const auto stride = static_cast<int64_t>(logits_->nb[1] / sizeof(float));
        const LogitRows rows{static_cast<const float *>(logits_->data), stride, static_cast<int32_t>(logits_->ne[0])};
        return answers_.read(rows, asks, stream_.device, stream_.stream);
    }

    std::span<const Answer> answers() const override { return answers_.answers(); }

    // A node of an unordered_map stays where it is.
    const float * row(int32_t index) override {
        std::vector<float> & copy = copies_[index];
        if (copy.empty()) {
            copy.resize(static_cast<size_t>(logits_->ne[0]));
            ggml_backend_tensor_get_async(backend_, logits_, copy.data(), static_cast<size_t>(index) * logits_->nb[1],
                                          copy.size() * sizeof(float));
            ggml_backend_synchronize(backend_);
        }
        return copy.data();
    }

private:
    ggml_backend * backend_ = nullptr;
    const ggml_tensor * logits_ = nullptr;
    DeviceStream stream_{};
    RowAnswers answers_;
    std::unordered_map<int32_t, std::vector<float>> copies_;
};

}  // namespace

std::unique_ptr<DeviceRows> make_device_rows(int64_t n_vocab) {
    return n_vocab <= most_entries ? std::make_unique<CudaRows>() : nullptr;
}

}  // namespace thinktree

#else

namespace thinktree {

std::unique_ptr<DeviceRows> make_device_rows(int64_t) { return nullptr; }

}  // namespace thinktree

#endif
