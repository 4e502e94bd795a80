// Owns: the addon's `inspect(path, cells)`, a promise of what the file says of itself.
// Must not know: what it means; lib/engine/inspect-model.ts does. Thread: the JavaScript thread and one of libuv's
// pool.
#pragma once

#include <napi.h>

namespace thinktree {

Napi::Value inspect(const Napi::CallbackInfo & info);

}  // namespace thinktree
