// Owns: `metadata(path)`, the texts among a GGUF's metadata and those of the tokens that it names by id, read beside
// the JavaScript thread. Must not know: what they mean. Thread: the JavaScript thread, and one of libuv's pool.
#pragma once

#include <napi.h>

namespace thinktree {

// Resolves with pairs: a file may name its keys as it likes, also as JavaScript names a prototype.
Napi::Value read_metadata(const Napi::CallbackInfo & info);

}  // namespace thinktree
