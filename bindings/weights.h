// Owns: the conversion of weights as a JavaScript function.
// Must not know: models, files. Thread: called on the JavaScript thread, works on libuv's pool.
#pragma once

#include <napi.h>

namespace thinktree {

// convertWeights(bytes: Uint8Array, from: number, to: number, columns: number): Promise<Uint8Array>. `bytes` is copied.
Napi::Value convert_weights_function(const Napi::CallbackInfo & info);

}  // namespace thinktree
