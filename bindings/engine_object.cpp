#include "engine_object.h"

#include "codec.h"
#include "promise_worker.h"

namespace thinktree {

namespace {

Napi::Object encode_model(Napi::Env env, const ModelInfo & info) {
    Napi::Object out = Napi::Object::New(env);
    out["parameters"] = Napi::Number::New(env, static_cast<double>(info.parameters));
    out["vocabulary"] = info.vocabulary;
    out["positions"] = info.positions;
    out["kvCells"] = info.kv_cells;
    out["width"] = info.width;
    out["weightBytes"] = Napi::Number::New(env, static_cast<double>(info.loaded_bytes));
    if (!info.reading.empty()) out["reading"] = info.reading;
    Napi::Object recipe = Napi::Object::New(env);
    for (const auto & [key, value] : info.recipe) recipe.Set(key, value);
    out["recipe"] = recipe;
    return out;
}

class CloseWorker : public PromiseWorker {
public:
    CloseWorker(Napi::Env env, std::function<void()> end) : PromiseWorker(env), end_(std::move(end)) {}
    void Execute() override { end_(); }
    Napi::Value result() override { return Env().Undefined(); }

private:
    std::function<void()> end_;
};

}  // namespace

Napi::Function EngineObject::define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {InstanceMethod<&EngineObject::submit>("submit"), InstanceMethod<&EngineObject::stats>("stats"),
                        InstanceMethod<&EngineObject::close>("close"), InstanceMethod<&EngineObject::ref>("ref"),
                        InstanceMethod<&EngineObject::unref>("unref")});
}

void EngineObject::Running::end() {
    const std::lock_guard lock(mutex);
    if (!scheduler) return;
    scheduler.reset();
    to_javascript.Release();
}

EngineObject::EngineObject(const Napi::CallbackInfo & info)
    : Napi::ObjectWrap<EngineObject>(info), running_(std::make_shared<Running>()) {
    Napi::Env js = info.Env();
    if (info.Length() != 2 || !info[0].IsObject() || !info[1].IsFunction()) {
        throw Napi::TypeError::New(js, "thinktree: expected (options, onEvent)");
    }
    const EngineOptions options = read_options(info[0].As<Napi::Object>());
    running_->to_javascript =
        Napi::ThreadSafeFunction::New(js, info[1].As<Napi::Function>(), "thinktree", 0 /* no queue limit */, 1);

    // Events hold the function and not `running`, which holds the scheduler that holds them.
    const auto raise = [to_javascript = running_->to_javascript](std::function<void(Napi::Env, Napi::Function)> event) {
        to_javascript.NonBlockingCall(std::move(event));
    };
    LoadedInfo * const loaded_info = &running_->info;
    running_->scheduler = std::make_unique<Scheduler>(
        [options, loaded_info](std::function<bool()> should_abort) {
            return load(options, should_abort, *loaded_info);
        },
        Scheduler::Events{[raise, loaded_info] {
                              raise([loaded = *loaded_info](Napi::Env env, Napi::Function on_event) {
                                  Napi::Object out = Napi::Object::New(env);
                                  out["generator"] = encode_model(env, loaded.generator);
                                  if (loaded.verifier) out["verifier"] = encode_model(env, *loaded.verifier);
                                  if (loaded.reference) out["reference"] = encode_model(env, *loaded.reference);
                                  if (loaded.draft) out["draft"] = encode_model(env, *loaded.draft);
                                  on_event.Call({Napi::String::New(env, "loaded"), out});
                              });
                          },
                          [raise](const Error & error) {
                              raise([error](Napi::Env env, Napi::Function on_event) {
                                  Napi::Object out = Napi::Object::New(env);
                                  out["code"] = error_code_name(error.code);
                                  out["message"] = error.what();
                                  on_event.Call({Napi::String::New(env, "failed"), out});
                              });
                          },
                          [raise, restorable = options.restorable](std::vector<Completion> completions) {
                              raise([restorable, completions = std::move(completions)](Napi::Env env,
                                                                                       Napi::Function on_event) {
                                  Napi::Array out = Napi::Array::New(env, completions.size());
                                  for (uint32_t i = 0; i < completions.size(); ++i)
                                      out[i] = encode_completion(env, completions[i], restorable);
                                  on_event.Call({Napi::String::New(env, "completed"), out});
                              });
                          }},
        options.restorable);
    // Hooks run last in, first out: ours, made after the thread-safe function's, ends the thread while that still
    // works.
    js.AddCleanupHook([running = running_] { running->end(); });
}

EngineObject::~EngineObject() { running_->end(); }

void EngineObject::submit(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    if (info.Length() != 2 || !info[0].IsTypedArray() || !info[1].IsArray() ||
        info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
        throw Napi::TypeError::New(env, "thinktree: expected (Float64Array, string[])");
    }
    if (closed_) return;
    running_->scheduler->submit(decode_commands(info[0].As<Napi::Float64Array>(), info[1].As<Napi::Array>()));
}

Napi::Value EngineObject::stats(const Napi::CallbackInfo & info) {
    return encode_stats(info.Env(), closed_ ? EngineStats{} : running_->scheduler->stats());
}

Napi::Value EngineObject::close(const Napi::CallbackInfo & info) {
    closed_ = true;
    return PromiseWorker::run<CloseWorker>(info.Env(), [running = running_] { running->end(); });
}

void EngineObject::ref(const Napi::CallbackInfo & info) {
    if (!closed_) running_->to_javascript.Ref(info.Env());
}

void EngineObject::unref(const Napi::CallbackInfo & info) {
    if (!closed_) running_->to_javascript.Unref(info.Env());
}

}  // namespace thinktree
