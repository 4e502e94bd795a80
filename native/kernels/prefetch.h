// Owns: asking for memory before it is read. Must not know: what lies there. Thread: any.
#pragma once

#include <cstdint>

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <immintrin.h>
#endif

namespace thinktree {

// Into the second-level cache. A wish: any address will do, also one that is nobody's.
inline void prefetch([[maybe_unused]] const char * from, int64_t bytes) {
    constexpr int64_t line = 64;
    for (int64_t at = 0; at < bytes; at += line) {
#if defined(__GNUC__)
        __builtin_prefetch(from + at, 0, 2);
#elif defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
        _mm_prefetch(from + at, _MM_HINT_T1);
#endif
    }
}

}  // namespace thinktree
