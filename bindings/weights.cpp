#include "weights.h"

#include <cstdint>
#include <vector>

#include "backend/llama/weights.h"

namespace thinktree {

namespace {

class ConvertWorker : public Napi::AsyncWorker {
public:
    ConvertWorker(Napi::Env env, const Napi::Uint8Array & bytes, int32_t from, int32_t to, int64_t columns)
        : Napi::AsyncWorker(env),
          deferred_(Napi::Promise::Deferred::New(env)),
          bytes_(bytes.Data(), bytes.Data() + bytes.ByteLength()),
          from_(from),
          to_(to),
          columns_(columns) {}
    Napi::Promise promise() const { return deferred_.Promise(); }

    void Execute() override { bytes_ = convert_weights(bytes_, from_, to_, columns_); }
    void OnOK() override { deferred_.Resolve(Napi::Buffer<uint8_t>::Copy(Env(), bytes_.data(), bytes_.size())); }
    void OnError(const Napi::Error & error) override { deferred_.Reject(error.Value()); }

private:
    Napi::Promise::Deferred deferred_;
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
    auto * worker = new ConvertWorker(env, info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Number>().Int32Value(),
                                      info[2].As<Napi::Number>().Int32Value(), info[3].As<Napi::Number>().Int64Value());
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
}

}  // namespace thinktree
