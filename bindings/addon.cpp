// The addon's entry: one class. Thread: the JavaScript thread of each environment that loads it.
#include <napi.h>

#include "engine_object.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
    exports.Set("Engine", thinktree::EngineObject::define(env));
    return exports;
}

NODE_API_MODULE(thinktree, init)
