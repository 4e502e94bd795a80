// Owns: the JavaScript object around one Scheduler: construction, submit, close, and the environment's end.
// Must not know: search. Thread: the JavaScript thread, but for the events, which the scheduler thread raises and a
// thread-safe function carries over.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

#include "load.h"

namespace thinktree {

class EngineObject : public Napi::ObjectWrap<EngineObject> {
public:
    static Napi::Function define(Napi::Env env);

    // new Engine(options, onEvent): onEvent("loaded", info) or onEvent("failed", {code, message}) once, then
    // onEvent("completed", [...]) at most once a decode step.
    explicit EngineObject(const Napi::CallbackInfo & info);
    ~EngineObject() override;

private:
    // Outlives the object while a close is under way. Whoever empties it joins the thread.
    struct Running {
        std::mutex mutex;
        std::unique_ptr<Scheduler> scheduler;
        Napi::ThreadSafeFunction to_javascript;
        LoadedInfo info;
        void end();
    };

    void submit(const Napi::CallbackInfo & info);
    Napi::Value stats(const Napi::CallbackInfo & info);
    // A promise: resolved when the thread has ended and everything it held is freed.
    Napi::Value close(const Napi::CallbackInfo & info);
    // Whether the engine keeps the process alive: it does while something is pending.
    void ref(const Napi::CallbackInfo & info);
    void unref(const Napi::CallbackInfo & info);

    std::shared_ptr<Running> running_;
    bool closed_ = false;
};

}  // namespace thinktree
