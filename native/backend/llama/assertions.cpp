#include "backend/llama/assertions.h"

#include <cstdio>

#include "ggml.h"

namespace thinktree {

namespace {

// As people read it: without the folder in which llama.cpp was compiled.
std::string without_folder(const std::string & message) {
    const size_t colon = message.find(':');
    const size_t slash = message.rfind('/', colon);
    return slash == std::string::npos ? message : message.substr(slash + 1);
}

}  // namespace

int & CatchAssertions::depth() {
    static thread_local int depth = 0;
    return depth;
}

void CatchAssertions::install() {
    ggml_set_abort_callback([](const char * message) {
        if (depth() > 0) throw AssertionFailed(without_folder(message));
        std::fprintf(stderr, "%s\n", message);
    });
}

}  // namespace thinktree
