#include "inspect.h"

#include <algorithm>
#include <optional>
#include <string>

#include "backend/llama/inspection.h"
#include "base/error.h"
#include "promise_worker.h"

namespace thinktree {

namespace {

// Longer ones are no hyper-parameters: they cross as their length.
constexpr size_t longest_list = 1024;
// A chat template has some KB. JavaScript has no strings as long as a hostile file's may be.
constexpr size_t longest_text = 1 << 20;

Napi::Value encode_number(Napi::Env env, int64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

Napi::Value encode_text(Napi::Env env, const std::string & text) {
    return Napi::String::New(env, text.substr(0, longest_text));
}

Napi::Value encode_value(Napi::Env env, const GgufFile & file, const std::string & key) {
    if (const auto text = file.text(key)) return encode_text(env, *text);
    if (const auto flag = file.flag(key)) return Napi::Boolean::New(env, *flag);
    if (const auto whole = file.whole(key)) return encode_number(env, *whole);
    if (const auto real = file.real(key)) return Napi::Number::New(env, *real);
    const int64_t length = file.length(key).value_or(0);
    Napi::Object out = Napi::Object::New(env);
    out["length"] = encode_number(env, length);
    if (length <= static_cast<int64_t>(longest_list)) {
        const std::vector<int64_t> values = file.list(key);
        Napi::Array list = Napi::Array::New(env, values.size());
        for (uint32_t i = 0; i < values.size(); ++i) list[i] = encode_number(env, values[i]);
        out["values"] = list;
    }
    return out;
}

// Pairs, since a file may name its keys as it likes, also as JavaScript names a prototype.
Napi::Value encode_metadata(Napi::Env env, const GgufFile & file) {
    const std::vector<std::string> keys = file.keys();
    Napi::Array out = Napi::Array::New(env, keys.size());
    for (uint32_t i = 0; i < keys.size(); ++i) {
        Napi::Array pair = Napi::Array::New(env, 2);
        pair[0u] = encode_text(env, keys[i]);
        pair[1u] = encode_value(env, file, keys[i]);
        out[i] = pair;
    }
    return out;
}

Napi::Object encode_cache(Napi::Env env, const CacheMemory & memory) {
    Napi::Object out = Napi::Object::New(env);
    out["cellBytes"] = encode_number(env, memory.bytes.cell);
    out["stateBytes"] = encode_number(env, memory.bytes.state);
    out["bufferBytes"] = encode_number(env, memory.use.buffers);
    return out;
}

Napi::Object encode(Napi::Env env, const Inspection & found) {
    Napi::Object out = Napi::Object::New(env);
    out["bytes"] = encode_number(env, static_cast<int64_t>(found.file.bytes()));
    out["metadata"] = encode_metadata(env, found.file);
    Napi::Array weights = Napi::Array::New(env);
    for (const auto & [name, type] : found.file.weights()) {
        Napi::Object one = Napi::Object::New(env);
        one["type"] = name;
        one["tensors"] = encode_number(env, type.tensors);
        one["parameters"] = encode_number(env, type.elements);
        one["bytes"] = encode_number(env, static_cast<int64_t>(type.bytes));
        weights[weights.Length()] = one;
    }
    out["weights"] = weights;
    if (found.lora) {
        int64_t rank = 0;
        for (const auto & [name, pair] : found.lora->pairs) rank = std::max(rank, pair.rank());
        Napi::Object lora = Napi::Object::New(env);
        lora["rank"] = encode_number(env, rank);
        lora["alpha"] = found.lora->alpha;
        lora["tensors"] = encode_number(env, static_cast<int64_t>(found.lora->pairs.size()));
        out["lora"] = lora;
    }
    Napi::Array tokens = Napi::Array::New(env);
    for (const SpecialToken & token : found.special_tokens) {
        Napi::Object one = Napi::Object::New(env);
        one["name"] = encode_text(env, token.name);
        one["id"] = encode_number(env, token.id);
        one["text"] = encode_text(env, token.text);
        tokens[tokens.Length()] = one;
    }
    out["specialTokens"] = tokens;
    out["templateRenders"] = found.template_renders;
    Napi::Array devices = Napi::Array::New(env);
    for (const Device & device : found.devices) {
        Napi::Object one = Napi::Object::New(env);
        one["name"] = device.name;
        one["description"] = device.description;
        one["gpu"] = device.gpu;
        one["bytes"] = encode_number(env, device.total);
        one["freeBytes"] = encode_number(env, device.free);
        devices[devices.Length()] = one;
    }
    out["devices"] = devices;
    if (found.refusal) {
        Napi::Object refusal = Napi::Object::New(env);
        refusal["code"] = error_code_name(found.refusal->first);
        refusal["message"] = encode_text(env, found.refusal->second);
        out["refusal"] = refusal;
    }
    out["treeAttention"] = found.tree_attention;
    out["cells"] = encode_number(env, found.cells);
    out["states"] = encode_number(env, found.states);
    if (found.f16) {
        out["weightBytes"] = encode_number(env, found.f16->use.weights);
        out["f16"] = encode_cache(env, *found.f16);
    }
    if (found.q8_0) out["q8_0"] = encode_cache(env, *found.q8_0);
    return out;
}

class InspectWorker : public PromiseWorker {
public:
    InspectWorker(Napi::Env env, std::string path, int32_t cells, int32_t branches)
        : PromiseWorker(env), path_(std::move(path)), cells_(cells), branches_(branches) {}

    void Execute() override {
        try {
            found_.emplace(inspect_model(path_, cells_, branches_));
        } catch (const Error & error) {
            code_ = error.code;
            SetError(error.what());
        }
    }
    Napi::Value result() override { return encode(Env(), *found_); }
    void OnError(const Napi::Error & error) override {
        error.Value()["code"] = error_code_name(code_);
        PromiseWorker::OnError(error);
    }

private:
    std::string path_;
    int32_t cells_;
    int32_t branches_;
    std::optional<Inspection> found_;
    ErrorCode code_ = ErrorCode::internal;
};

}  // namespace

Napi::Value inspect(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    if (info.Length() != 3 || !info[0].IsString() || !info[1].IsNumber() || !info[2].IsNumber()) {
        throw Napi::TypeError::New(env, "thinktree: expected (path, cells, branches)");
    }
    return PromiseWorker::run<InspectWorker>(env, info[0].As<Napi::String>().Utf8Value(),
                                             info[1].As<Napi::Number>().Int32Value(),
                                             info[2].As<Napi::Number>().Int32Value());
}

}  // namespace thinktree
