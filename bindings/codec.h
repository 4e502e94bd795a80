// Owns: the wire between TypeScript and the engine: commands packed into one Float64Array and one string array a
// submit, completions as plain objects. lib/engine/codec.ts is the other end; the layouts must match.
// Must not know: search. Thread: the JavaScript thread.
#pragma once

#include <napi.h>

#include <vector>

#include "scheduler/command.h"

namespace thinktree {

// Throws Napi::TypeError if the numbers do not spell whole commands.
std::vector<Command> decode_commands(const Napi::Float64Array & numbers, const Napi::Array & strings);
Napi::Value encode_completion(Napi::Env env, const Completion & completion, bool restorable);
Napi::Value encode_stats(Napi::Env env, const EngineStats & stats);

}  // namespace thinktree
