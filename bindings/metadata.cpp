#include "metadata.h"

#include <string>
#include <utility>
#include <vector>

#include "backend/llama/gguf_file.h"
#include "base/error.h"
#include "promise_worker.h"

namespace thinktree {

namespace {

class MetadataWorker : public PromiseWorker {
public:
    MetadataWorker(Napi::Env env, std::string path) : PromiseWorker(env), path_(std::move(path)) {}

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
    Napi::Value result() override {
        Napi::Array out = Napi::Array::New(Env(), texts_.size());
        for (uint32_t i = 0; i < texts_.size(); ++i) {
            Napi::Array pair = Napi::Array::New(Env(), 2);
            pair[0u] = Napi::String::New(Env(), texts_[i].first);
            pair[1u] = Napi::String::New(Env(), texts_[i].second);
            out[i] = pair;
        }
        return out;
    }

private:
    std::string path_;
    std::vector<std::pair<std::string, std::string>> texts_;
};

}  // namespace

Napi::Value read_metadata(const Napi::CallbackInfo & info) {
    return PromiseWorker::run<MetadataWorker>(info.Env(), info[0].As<Napi::String>().Utf8Value());
}

}  // namespace thinktree
