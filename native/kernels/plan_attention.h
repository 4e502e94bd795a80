// Owns: the switch by which a KV cache is made for attention by tree plans. Must not know: anything else.
// Thread: it is read when a context is made, on the thread that makes it.
#pragma once

namespace thinktree {

inline thread_local bool plan_attention = false;

}  // namespace thinktree
