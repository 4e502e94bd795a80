// The addon's entry. Thread: the JavaScript thread of each environment that loads it.
#include <napi.h>

#include "engine_object.h"
#include "inspect.h"
#include "metadata.h"
#include "weights.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
    exports.Set("Engine", thinktree::EngineObject::define(env));
    exports.Set("inspect", Napi::Function::New(env, thinktree::inspect, "inspect"));
    exports.Set("metadata", Napi::Function::New(env, thinktree::read_metadata, "metadata"));
    exports.Set("convertWeights", Napi::Function::New<thinktree::convert_weights_function>(env, "convertWeights"));
    return exports;
}

NODE_API_MODULE(thinktree, init)
