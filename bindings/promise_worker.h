// Owns: work on one of libuv's threads that a promise waits for. Must not know: what the work is.
// Thread: made and answered on the JavaScript thread; Execute runs on another.
#pragma once

#include <napi.h>

#include <utility>

namespace thinktree {

class PromiseWorker : public Napi::AsyncWorker {
public:
    // Begins the work; the worker deletes itself when the promise is settled.
    template <class Worker, class... Arguments>
    static Napi::Promise run(Napi::Env env, Arguments &&... arguments) {
        auto * worker = new Worker(env, std::forward<Arguments>(arguments)...);
        const Napi::Promise promise = worker->deferred_.Promise();
        worker->Queue();
        return promise;
    }

    void OnOK() override { deferred_.Resolve(result()); }
    void OnError(const Napi::Error & error) override { deferred_.Reject(error.Value()); }

protected:
    explicit PromiseWorker(Napi::Env env) : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {}
    virtual Napi::Value result() = 0;

private:
    Napi::Promise::Deferred deferred_;
};

}  // namespace thinktree
