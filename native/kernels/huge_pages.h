// Owns: asking the system for large pages. Must not know: for what. Thread: any, before the memory is first written.
// C, since ggml includes it: every buffer on the CPU is made through it.
//
// Weights, caches and results go by once a step, and what is gathered from a cache touches a page every few cells: the
// processor keeps the addresses of far fewer small pages than that.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

// A wish: where the system has no such pages, nothing happens.
static inline void thinktree_prefer_huge_pages(void * memory, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t huge = (uintptr_t)1 << 21;
    const uintptr_t begin = ((uintptr_t)memory + huge - 1) & ~(huge - 1);
    const uintptr_t end = ((uintptr_t)memory + bytes) & ~(huge - 1);
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)bytes;
#endif
}
