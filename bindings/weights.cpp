#include "weights.h"

#include <cstdint>
#include <vector>

#include "backend/llama/weights.h"
#include "promise_worker.h"

namespace thinktree {

namespace {

class ConvertWorker : public PromiseWorker {
public:
    ConvertWorker(Napi::Env env, const Napi::Uint8Array & bytes, int32_t from, int32_t to, int64_t columns)
        : PromiseWorker(env),
          bytes_(bytes.Data(), bytes.Data() + bytes.ByteLength()),
          from_(from),
          to_(to),
          columns_(columns) {}

    void Execute() override { bytes_ = convert_weights(bytes_, from_, to_, columns_); }
    Napi::Value result() override { return Napi::Buffer<uint8_t>::Copy(Env(), bytes_.data(), bytes_.size()); }

private:
    std::vector<uint8_t> bytes_;
    int32_t from_;
    int32_t to_;
    int64_t columns_;
};

}  // namespace

Napi::Value convert_weights_function(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    if (info.Length() != 4 || !info[0].IsTypedArray() || !info[1].IsNumber() || !info[2].IsNumber() ||
        !info[3].IsNumber() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
        throw Napi::TypeError::New(env, "thinktree: expected (Uint8Array, from, to, columns)");
    }
    return PromiseWorker::run<ConvertWorker>(
        env, info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Number>().Int32Value(),
        info[2].As<Napi::Number>().Int32Value(), info[3].As<Napi::Number>().Int64Value());
}

}  // namespace thinktree
