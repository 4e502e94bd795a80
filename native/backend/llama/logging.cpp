#include "backend/llama/logging.h"

#include "llama.h"

namespace thinktree {

namespace {

thread_local std::string * errors = nullptr;

// Without the function that says it and the end of the line.
std::string plain(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    const size_t colon = text.find(": ");
    if (colon != std::string::npos && text.find(' ') > colon) text.erase(0, colon + 2);
    return text;
}

}  // namespace

LogErrors::LogErrors() : outer_(errors) { errors = &first_; }
LogErrors::~LogErrors() { errors = outer_; }

std::string LogErrors::first() const { return first_.empty() ? "it does not say why" : plain(first_); }

void LogErrors::install() {
    llama_log_set(
        [](ggml_log_level level, const char * text, void *) {
            if (level == GGML_LOG_LEVEL_ERROR && errors != nullptr && errors->empty()) *errors = text;
        },
        nullptr);
}

}  // namespace thinktree
