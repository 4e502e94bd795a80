// Owns: reading single fields of an options object that lib/engine/options.ts has validated.
// Must not know: what they mean. Thread: the JavaScript thread.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

namespace thinktree {

inline int32_t integer(const Napi::Object & object, const char * name, int32_t otherwise) {
    const Napi::Value value = object.Get(name);
    return value.IsNumber() ? value.As<Napi::Number>().Int32Value() : otherwise;
}

// Empty if there is none.
inline std::string text(const Napi::Object & object, const char * name) {
    const Napi::Value value = object.Get(name);
    return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

}  // namespace thinktree
