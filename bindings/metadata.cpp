#include "metadata.h"

#include <string>
#include <utility>
#include <vector>

#include "backend/llama/gguf_file.h"
#include "base/error.h"

namespace thinktree {

namespace {

class MetadataWorker : public Napi::AsyncWorker {
public:
    MetadataWorker(Napi::Env env, std::string path)
        : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), path_(std::move(path)) {}
    Napi::Promise promise() const { return deferred_.Promise(); }

    void Execute() override {
        try {
            const GgufFile file(path_);
            for (const std::string & key : file.keys()) {
                auto text = file.text(key);
                if (!text && key.ends_with("_token_id")) {
                    text = file.text_at("tokenizer.ggml.tokens", file.whole(key).value_or(-1));
                }
                if (text) texts_.emplace_back(key, std::move(*text));
            }
        } catch (const Error &) {
            // No model: whoever loads it is told why.
        }
    }
    void OnOK() override {
        Napi::Array out = Napi::Array::New(Env(), texts_.size());
        for (uint32_t i = 0; i < texts_.size(); ++i) {
            Napi::Array pair = Napi::Array::New(Env(), 2);
            pair[0u] = Napi::String::New(Env(), texts_[i].first);
            pair[1u] = Napi::String::New(Env(), texts_[i].second);
            out[i] = pair;
        }
        deferred_.Resolve(out);
    }
    void OnError(const Napi::Error & error) override { deferred_.Reject(error.Value()); }

private:
    Napi::Promise::Deferred deferred_;
    std::string path_;
    std::vector<std::pair<std::string, std::string>> texts_;
};

}  // namespace

Napi::Value read_metadata(const Napi::CallbackInfo & info) {
    auto * worker = new MetadataWorker(info.Env(), info[0].As<Napi::String>().Utf8Value());
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
}

}  // namespace thinktree
