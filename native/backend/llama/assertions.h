// Owns: what becomes of a failed assertion inside llama.cpp: an exception where somebody is ready for it, the end of
// the process elsewhere. Must not know: what was asserted. Thread: each has its own readiness.
//
// A last line of defence against hostile files, behind gguf_file.h. Nothing may be left in use that the exception has
// gone through: a model or a context that is being made is thrown away whole. It goes through llama.cpp's C++ code,
// whose destructors run, and through ggml's C code, which holds no lock there (docs/decisions/0017).
#pragma once

#include <stdexcept>

namespace thinktree {

class AssertionFailed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// While one lives, an assertion that fails on this thread throws AssertionFailed. Others must not be computing for it:
// theirs still end the process.
class CatchAssertions {
public:
    CatchAssertions() { depth()++; }
    ~CatchAssertions() { depth()--; }
    CatchAssertions(const CatchAssertions &) = delete;
    CatchAssertions & operator=(const CatchAssertions &) = delete;

    // Once a process, before anything can fail.
    static void install();

private:
    static int & depth();
};

}  // namespace thinktree
