// Owns: what llama.cpp logs. Nothing is printed; its first error explains a refusal. Must not know: what failed.
// Thread: each keeps what is logged on it.
#pragma once

#include <string>

namespace thinktree {

class LogErrors {
public:
    LogErrors();
    ~LogErrors();
    LogErrors(const LogErrors &) = delete;
    LogErrors & operator=(const LogErrors &) = delete;

    // The first error logged on this thread since this began, which is the most particular: those after it are its
    // callers'.
    std::string first() const;

    // Once a process: llama.cpp logs to one function for all of it.
    static void install();

private:
    std::string first_;
    std::string * outer_;
};

}  // namespace thinktree
