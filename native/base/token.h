// Owns: how a token is named. Must not know: any vocabulary. Thread: any.
#pragma once

#include <cstdint>

namespace thinktree {

using Token = int32_t;

}  // namespace thinktree
